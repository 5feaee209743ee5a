/** The agent's configuration file. */
import { readFileSync } from 'node:fs';
import { Problem } from '../shared/errors.js';
import { isName } from '../shared/names.js';
import { Reader } from './checks.js';

export interface AgentConfig {
  cluster: string;
  /** This node's name, as in its certificate. */
  node: string;
  /** `address:port` of each controller. */
  controllers: string[];
  /** PEM files. */
  tls: { ca: string; cert: string; key: string };
  etcd: { endpoints: string[]; ca: string; cert: string; key: string };
  /** Folder of declared apps. */
  appsDir: string;
  stateDir: string;
  /** What the bundle becomes, /etc/nixos. */
  configDir: string;
  /** Whether a login over sshd on loopback belongs to the proof, and how sshd is reached. */
  proveSsh: boolean;
  sshPort: number;
  /** The file of keys that sshd reads for root beside its own (agent.nix). */
  sshKeysFile: string;
  /** Groups that this node uses as its configuration names them; its registration in etcd is what counts while it is sound. */
  services: string[];
  /** Admin socket of haproxy, the file that confd writes for it, and the copy that it was started from. */
  haproxySocket: string;
  haproxyConfig: string;
  haproxyLoaded: string;
  /** Where confd's command finds the agent's word. */
  meshVoucher: string;
}

export function parseConfig(text: string, where: string): AgentConfig {
  const reader = Reader.parse(text, where);
  const name = (key: string) => {
    const value = reader.string(key);
    return isName(value) ? value : reader.fail(key, 'not a valid name');
  };
  const files = (at: Reader) => ({ ca: at.string('ca'), cert: at.string('cert'), key: at.string('key') });
  reader.oneOf('activator', ['nixos'], 'nixos');
  const etcd = reader.object('etcd');
  return {
    cluster: name('cluster'),
    node: name('node'),
    controllers: reader.strings('controllers'),
    tls: files(reader.object('tls')),
    etcd: { endpoints: etcd.strings('endpoints'), ...files(etcd) },
    appsDir: reader.string('appsDir', '/etc/nix-infra/apps.d'),
    stateDir: reader.string('stateDir', '/var/lib/nix-infra'),
    configDir: reader.string('configDir', '/etc/nixos'),
    proveSsh: reader.boolean('proveSsh', true),
    sshPort: reader.integer('sshPort', 1, 65535, 22),
    sshKeysFile: reader.string('sshKeysFile', '/run/nix-infra/ssh-proof/root'),
    services: reader.texts('services'),
    haproxySocket: reader.string('haproxySocket', '/run/haproxy/haproxy.sock'),
    haproxyConfig: reader.string('haproxyConfig', '/var/lib/haproxy-mesh/haproxy.cfg'),
    haproxyLoaded: reader.string('haproxyLoaded', '/run/haproxy/loaded.cfg'),
    meshVoucher: reader.string('meshVoucher', '/run/nix-infra/mesh-voucher'),
  };
}

/** Throws `daemon.config` with file and key. */
export function readConfig(path: string): AgentConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw Problem.from(cause, 'daemon.config', { where: path });
  }
  return parseConfig(text, path);
}
