/** Real etcd members with client TLS, as child processes that can be killed and started again on their data. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openEtcd } from '../../shared/etcd/etcd3-store.js';
import type { EtcdConfig, EtcdStore } from '../../shared/etcd/store.js';
import type { HarnessAuthority } from './certificates.js';
import { until } from './until.js';

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

export interface EtcdHarness {
  config: EtcdConfig;
  members: { name: string; endpoint: string; peer: string }[];
  /** Where a member's data is. */
  dataDir(member: number): string;
  store: EtcdStore;
  kill(member: number): Promise<void>;
  /** SIGSTOP makes it a member that takes connections and never answers, until SIGCONT. */
  signal(member: number, signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** With other options of etcd than at its first start, where some are given. */
  start(member: number, options?: Readonly<Record<string, string>>): void;
  healthy(): Promise<void>;
  /** As somebody with etcdctl does; the id as in an Entry. */
  revokeLease(id: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startEtcd(
  dir: string,
  authority: HarnessAuthority,
  count: 1 | 3 = 1,
): Promise<EtcdHarness> {
  const files = await authority.issue('etcd');
  const members: { name: string; endpoint: string; peer: string }[] = [];
  for (let i = 0; i < count; i++) {
    const [client, peer] = [await freePort(), await freePort()];
    // By name: Node warns about TLS server names that are addresses.
    members.push({
      name: `etcd00${i + 1}`,
      endpoint: `https://localhost:${client}`,
      peer: `http://127.0.0.1:${peer}`,
    });
  }
  const children: (ChildProcess | undefined)[] = [];
  const initial = members.map(({ name, peer }) => `${name}=${peer}`).join(',');

  function start(i: number, others: Readonly<Record<string, string>> = {}): void {
    const { name, endpoint, peer } = members[i] as (typeof members)[number];
    const listen = endpoint.replace('localhost', '127.0.0.1');
    const options = {
      name,
      'data-dir': join(dir, name),
      'listen-client-urls': listen,
      'advertise-client-urls': endpoint,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': initial,
      'cert-file': files.cert,
      'key-file': files.key,
      'trusted-ca-file': files.ca,
      'log-level': 'error',
      ...others,
    };
    const args = Object.entries(options).map(([key, value]) => `--${key}=${value}`);
    children[i] = spawn('etcd', [...args, '--client-cert-auth'], { stdio: 'ignore' });
  }
  async function kill(i: number): Promise<void> {
    const child = children[i];
    children[i] = undefined;
    if (!child || child.exitCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  for (let i = 0; i < count; i++) start(i);
  const config = { endpoints: members.map((member) => member.endpoint), ...files };
  const store = openEtcd(config);
  const healthy = async () => {
    await until('etcd answers', 20_000, async () => {
      await store.get('/harness/ready');
      return true;
    });
  };
  await healthy();
  return {
    config,
    members,
    dataDir: (i) => join(dir, (members[i] as (typeof members)[number]).name),
    store,
    kill,
    start,
    signal: (member, signal) => void children[member]?.kill(signal),
    healthy,
    revokeLease: async (id) => {
      const { endpoint } = members[0] as (typeof members)[number];
      const tls = [`--cacert=${files.ca}`, `--cert=${files.cert}`, `--key=${files.key}`];
      const args = ['lease', 'revoke', BigInt(id).toString(16), `--endpoints=${endpoint}`, ...tls];
      await promisify(execFile)('etcdctl', args, { env: { ...process.env, ETCDCTL_API: '3' } });
    },
    stop: async () => {
      store.close();
      await Promise.all(members.map((_, i) => kill(i)));
    },
  };
}
