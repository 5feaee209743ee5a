/** Commands of a person on nodes, over verified SSH. */
import { spawn } from 'node:child_process';
import { Problem } from '../../shared/errors.js';
import type { Project } from '../project/folder.js';
import { upDefaults } from './defaults.js';
import { HostKeys } from './host-keys.js';
import type { Machine } from './machines.js';
import { openProvider, operatorKey, ProviderMachines } from './provider-machines.js';

export interface RemoteOutput {
  node: string;
  code: number;
  /** stdout and stderr, in the order in which lines arrived. */
  text: string;
}

/** Runs a command on nodes at the same time. Any exit code is an answer. */
export async function runOnNodes(
  project: Project,
  names: readonly string[],
  command: string,
): Promise<RemoteOutput[]> {
  const machines = new ProviderMachines(project, openProvider(project));
  const targets = found(await machines.list(), names);
  return Promise.all(
    targets.map(async (machine) => {
      const shell = await machines.connect(machine, upDefaults.reachMs);
      try {
        const lines: string[] = [];
        const { code } = await shell.exec(command, {
          timeoutMs: upDefaults.commandMs,
          onLine: (line) => lines.push(line),
        });
        return { node: machine.name, code, text: lines.map((line) => `${line}\n`).join('') };
      } finally {
        shell.close();
      }
    }),
  );
}

/** The output as the predecessor prints it: every line prefixed, one more for the newline at the end. */
export function prefixed({ node, text }: RemoteOutput): string {
  return text
    .split('\n')
    .map((line) => `${node}: ${line}\n`)
    .join('');
}

const etcdPrefixes: Readonly<Record<string, string>> = {
  nodes: '/cluster/nodes',
  services: '/cluster/services',
  backends: '/cluster/backends',
  frontends: '/cluster/frontends',
  network: '/coreos.com',
};

/** The etcdctl command for the words of `cluster etcd`: a listing by name, a key prefix, or etcdctl's own arguments. */
export function etcdCommand(node: string, words: readonly string[]): string {
  const given = (words[0] === 'ctl' ? words.slice(1) : words).join(' ').trim();
  const prefix = etcdPrefixes[given] ?? (/^\/\S*$/.test(given) ? given : undefined);
  const args = prefix === undefined ? given : `get --prefix ${prefix}`;
  return `${etcdctlOn(node)} ${args}`.trimEnd();
}

/** etcdctl on a control node, with the certificate of that node; to be followed by arguments. */
export function etcdctlOn(node: string): string {
  const environment = [
    'ETCDCTL_API=3',
    'ETCDCTL_DIAL_TIMEOUT=3s',
    'ETCDCTL_ENDPOINTS=https://127.0.0.1:2379',
    'ETCDCTL_CACERT=/root/certs/ca-chain.cert.pem',
    `ETCDCTL_CERT=/root/certs/${node}-client-tls.cert.pem`,
    `ETCDCTL_KEY=/root/certs/${node}-client-tls.key.pem`,
  ];
  return `${environment.join(' ')} etcdctl`;
}

/** Opens a shell on a node with the system's ssh; returns its exit code. */
export async function openShell(project: Project, name: string): Promise<number> {
  const machines = new ProviderMachines(project, openProvider(project));
  const [machine] = found(await machines.list(), [name]);
  const key = await operatorKey(project);
  const options = [
    `UserKnownHostsFile=${new HostKeys(project.dir).file}`,
    `HostKeyAlias=${name}`,
    'StrictHostKeyChecking=yes',
    'IdentitiesOnly=yes',
  ];
  const argv = [
    '-i',
    key.path,
    ...options.flatMap((option) => ['-o', option]),
    `root@${machine?.ipv4 ?? ''}`,
  ];
  return new Promise((resolve, reject) => {
    const child = spawn('ssh', argv, { stdio: 'inherit' });
    child.once('error', (error) =>
      reject(Problem.from(error, 'ssh.failed', { node: name, next: 'install OpenSSH' })),
    );
    child.once('close', (code) => resolve(code ?? 1));
  });
}

function found(machines: readonly Machine[], names: readonly string[]): Machine[] {
  const missing = names.filter((name) => !machines.some((machine) => machine.name === name));
  if (missing.length > 0) {
    throw new Problem('node.unknown', `Server(s) not found: ${missing.join(' ')}`, {
      reason: `there are ${machines.map(({ name }) => name).join(', ') || 'none'}`,
    });
  }
  return names.flatMap((name) => machines.filter((machine) => machine.name === name));
}
