/** Turns a fresh NixOS server into a node: certificates, the first bundle, one switch. Safe to repeat at any point. */
import { Problem } from '../../shared/errors.js';
import type { Bundle } from '../project/bundle.js';
import { upDefaults } from './defaults.js';
import type { Shell } from './machines.js';
import { type TarEntry, tarOf } from './tar.js';

/** Where the agent keeps what it applied; its presence says that the node was bootstrapped. */
const applied = '/var/lib/nix-infra/applied.json';

/** True when an earlier run finished the bootstrap of this node: from then on its agent applies configurations. */
export async function wasBootstrapped(shell: Shell): Promise<boolean> {
  return (await shell.exec(`test -s ${applied}`)).code === 0;
}

/** What a member of etcd reads at its first start in a cluster that runs (nixos/modules/etcd.nix). */
const joinFile = '/var/lib/nix-infra/etcd-join.env';

/** True when etcd has its data on this node. */
export async function hasEtcdData(shell: Shell): Promise<boolean> {
  return (await shell.exec('test -d /var/lib/etcd/member')).code === 0;
}

/** Has etcd on this node join the cluster whose members are `initialCluster`, at its first start. */
export async function prepareJoin(shell: Shell, node: string, initialCluster: string): Promise<void> {
  const content = `ETCD_INITIAL_CLUSTER_STATE=existing\nETCD_INITIAL_CLUSTER=${initialCluster}\n`;
  const command = `set -e; mkdir -p -m 0700 /var/lib/nix-infra; cat > ${joinFile}.part; sync; mv ${joinFile}.part ${joinFile}`;
  await must(shell, node, command, Buffer.from(content));
}

/** It has joined. */
export async function endJoin(shell: Shell): Promise<void> {
  await shell.exec(`rm -f ${joinFile}`);
}

/** Held by the nixos-rebuild of a bootstrap and what it starts, so that a run after a killed one can wait for it. */
const bootstrapLock = '/run/nix-infra-bootstrap.lock';

export interface BootstrapInput {
  node: string;
  bundle: Bundle;
  certificates: readonly TarEntry[];
  onOutput: (line: string) => void;
}

/** Throws `node.not-nixos`, or `apply.rejected` / `ssh.command` with the end of the output when the switch fails. */
export async function bootstrapNode(shell: Shell, input: BootstrapInput): Promise<void> {
  const { node, bundle, certificates } = input;
  if ((await shell.exec('test -e /etc/NIXOS')).code !== 0) {
    throw new Problem('node.not-nixos', `${node} does not run NixOS`, {
      node,
      reason: 'there is no /etc/NIXOS on it',
    });
  }
  await settleFormer(shell, node);
  await putCertificates(shell, node, certificates);
  await putBundle(shell, bundle);
  await switchTo(shell, input);
}

/**
 * Waits for what an `up` that was killed left running on the node: its nixos-rebuild, and the unit of the switch, which
 * outlives nixos-rebuild. A second switch beside it would be refused, and its files would change under it.
 */
function settleFormer(shell: Shell, node: string): Promise<unknown> {
  const waiting = [
    `flock ${bootstrapLock} true`,
    'while systemctl -q is-active nixos-rebuild-switch-to-configuration.service; do sleep 0.2; done',
    'mkdir -p /run/nixos; flock /run/nixos/switch-to-configuration.lock true',
  ].join('\n');
  return must(shell, node, waiting, undefined, upDefaults.bootstrapMs);
}

export function putCertificates(shell: Shell, node: string, files: readonly TarEntry[]): Promise<unknown> {
  const command =
    'set -e; mkdir -p /root/certs; chmod 700 /root/certs; tar -x --no-same-owner -p -f - -C /root/certs';
  return must(shell, node, command, tarOf(files));
}

/**
 * Puts the bundle to /etc/nixos. Files of a former bundle go, so that a module that was deleted does not stay in
 * effect; what an installer wrote for this machine stays.
 */
export function putBundle(shell: Shell, bundle: Bundle): Promise<unknown> {
  const entries = bundle.files.map(({ path, mode, sha256 }) => ({
    path,
    mode,
    content: bundle.contents.get(sha256) ?? Buffer.alloc(0),
  }));
  const command = [
    'set -e; new=/etc/nixos.new; rm -rf "$new"; mkdir -p "$new"',
    'tar -x --no-same-owner -p -f - -C "$new"',
    'for kept in hardware-configuration.nix networking.nix; do',
    '  if [ -e "/etc/nixos/$kept" ]; then cp -p "/etc/nixos/$kept" "$new/"; fi',
    'done',
    'rm -rf /etc/nixos.old; if [ -e /etc/nixos ]; then mv /etc/nixos /etc/nixos.old; fi',
    'mv "$new" /etc/nixos; rm -rf /etc/nixos.old; sync',
  ].join('\n');
  return must(shell, bundle.node, command, tarOf(entries));
}

/** The first switch. The note of what was applied is written only after it, so a failed or cut one is done again. */
async function switchTo(shell: Shell, { node, bundle, onOutput }: BootstrapInput): Promise<void> {
  const ran = await shell.exec(`flock ${bootstrapLock} ${switchCommand(node)} 2>&1`, {
    timeoutMs: upDefaults.bootstrapMs,
    onLine: onOutput,
  });
  if (ran.code !== 0) {
    throw new Problem('apply.rejected', `The first configuration of ${node} did not switch`, {
      node,
      reason: `nixos-rebuild ended with ${ran.code}`,
      log: tail(ran.stdout + ran.stderr),
    });
  }
  const note = `{"revision":"${bundle.revision}","system":"'"$(readlink -f /run/current-system)"'"}`;
  await must(
    shell,
    node,
    `set -e; mkdir -p -m 0700 /var/lib/nix-infra; echo '${note}' > ${applied}.part; sync; mv ${applied}.part ${applied}; sync`,
  );
}

export function switchCommand(node: string): string {
  return `nixos-rebuild switch --flake /etc/nixos#${node}`;
}

/** Runs a command that has to work, and returns what it said; `ssh.command` with the end of the output when it does not. */
export async function must(
  shell: Shell,
  node: string,
  command: string,
  input?: Buffer,
  timeoutMs?: number,
): Promise<string> {
  const { code, stdout, stderr } = await shell.exec(command, {
    ...(input ? { stdin: input } : {}),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  if (code === 0) return stdout;
  throw new Problem('ssh.command', `A command on ${node} failed`, {
    node,
    reason: `it ended with ${code}`,
    log: tail(`${stdout}\n${stderr}`),
  });
}

/** The last 20 lines that are not blank. */
export function tail(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-20);
}
