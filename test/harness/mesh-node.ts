/** The mesh of one node, as its units run it: etcd's keys, the product's template, a real confd and a real haproxy. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ask } from '../../agent/mesh/ask.js';
import { repoRoot } from '../../lab/repo-root.js';
import type { EtcdConfig } from '../../shared/etcd/store.js';
import { confdProgram, meshTemplate, writeConfdFolder } from './mesh-config.js';
import { until } from './until.js';

export interface MeshNodeOptions {
  dir: string;
  node: string;
  services: readonly string[];
  etcd: EtcdConfig;
  /** Whether confd asks first whether a reload is needed, as on nodes; otherwise it always reloads. */
  asksFirst: boolean;
}

export interface MeshNode {
  socket: string;
  /** What confd writes, and the copy that haproxy was started from. */
  record: { file: string; loaded: string; voucher: string };
  admin(command: string): Promise<string>;
  /** Pid of the worker that takes new connections. */
  worker(): Promise<string>;
  /** Reloads as the haproxy unit does; resolves when the new worker answers. */
  reload(): Promise<void>;
  /** How often confd's command has reloaded. */
  reloads(): number;
  /** What confd's command said. */
  said(): string;
  /** Output of confd and haproxy. */
  log(): string;
  /** Ends confd alone, so that the file stays as it is. */
  stopConfd(): Promise<void>;
  startConfd(): void;
  stop(): Promise<void>;
}

/** The program that confd's command asks, as on nodes. */
export async function buildMeshProgram(outfile: string): Promise<void> {
  const entry = join(repoRoot(), 'agent/mesh/reload-main.ts');
  await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outfile,
    logLevel: 'warning',
  });
}

export async function startMeshNode(options: MeshNodeOptions): Promise<MeshNode> {
  const { dir, node, services, etcd, asksFirst } = options;
  mkdirSync(dir, { recursive: true });
  const at = (name: string) => join(dir, name);
  const socket = at('haproxy.sock');
  const record = { file: at('haproxy.cfg'), loaded: at('loaded.cfg'), voucher: at('voucher') };
  const template = meshTemplate(node, services).replaceAll('/run/haproxy/haproxy.sock', socket);
  const seed = template.slice(0, template.indexOf('{{- /*'));
  writeFileSync(record.file, seed);
  await buildMeshProgram(at('mesh.cjs'));

  const haproxyProgram = execFileSync('which', ['haproxy'], { encoding: 'utf8' }).trim();
  const load = `sh ${join(repoRoot(), 'nixos/modules/haproxy/load.sh')} ${record.file} ${record.loaded} ${haproxyProgram}`;
  execFileSync('sh', ['-c', load], { stdio: 'pipe' });
  const out = openSync(at('log'), 'a');
  const run = (program: string, args: string[]): ChildProcess =>
    spawn(program, args, { stdio: ['ignore', out, out] });
  const haproxy = run(haproxyProgram, ['-Ws', '-f', record.loaded]);
  writeFileSync(at('reload.sh'), `set -e\n${load} >>${at('log')} 2>&1\nkill -USR2 ${haproxy.pid}\n`);
  const reloadCommand = `(echo >>${at('reloads')}; sh ${at('reload.sh')})`;
  const question = `${process.execPath} ${at('mesh.cjs')} ${record.file} ${record.loaded} ${socket} ${record.voucher} >>${at('said')} 2>&1`;

  mkdirSync(at('confd'));
  writeConfdFolder(at('confd'), template, [
    {
      dest: record.file,
      check: `${haproxyProgram} -c -f {{.src}}`,
      reload: asksFirst ? `${question} || ${reloadCommand}` : reloadCommand,
    },
  ]);
  const confdArgs = ['-watch', '-backend', 'etcdv3', '-scheme', 'https', '-confdir', at('confd')];
  for (const endpoint of etcd.endpoints) confdArgs.push('-node', endpoint);
  confdArgs.push('-client-ca-keys', etcd.ca, '-client-cert', etcd.cert, '-client-key', etcd.key);
  let confd: ChildProcess | undefined;

  const admin = (command: string) => ask(socket, `${command}\n`, 2_000, 1 << 22);
  const looked = async () => {
    const info = await admin('show info');
    return /^Stopping: 0$/m.test(info) ? /^Pid: (\d+)$/m.exec(info)?.[1] : undefined;
  };
  const worker = () => until('a worker answers', 10_000, looked);
  await worker();
  const textOf = (name: string) => (existsSync(at(name)) ? readFileSync(at(name), 'utf8') : '');
  const mesh: MeshNode = {
    socket,
    record,
    admin,
    worker,
    reload: async () => {
      const before = await worker();
      execFileSync('sh', [at('reload.sh')], { stdio: 'pipe' });
      await until('the new worker answers', 10_000, async () => (await looked()) !== before);
    },
    reloads: () => textOf('reloads').length,
    said: () => textOf('said'),
    log: () => textOf('log'),
    startConfd: () => {
      confd ??= run(confdProgram, confdArgs);
    },
    stopConfd: async () => {
      const child = confd;
      confd = undefined;
      await ended(child, 'SIGTERM');
    },
    stop: async () => {
      await mesh.stopConfd();
      await ended(haproxy, 'SIGTERM');
    },
  };
  mesh.startConfd();
  return mesh;
}

async function ended(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
