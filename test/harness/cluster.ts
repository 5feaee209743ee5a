/** A small cluster of local processes: real etcd, controllers in this process, agents as children. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { pino } from 'pino';
import { type Controller, startController } from '../../controller/server/server.js';
import type { PrincipalKind } from '../../shared/names.js';
import { type CertificateFiles, type HarnessAuthority, makeAuthority } from './certificates.js';
import { type EtcdHarness, freePort, startEtcd } from './etcd.js';
import { type Operator, operatorAt } from './operator.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const clusterName = 'harness';

export interface AgentHandle {
  node: string;
  appsDir: string;
  configDir: string;
  recordDir: string;
  log(): string;
  /** Marks a unit as active or not. */
  unit(name: string, active: boolean): void;
  kill(signal: NodeJS.Signals): Promise<void>;
  restart(): void;
}

export interface Cluster {
  dir: string;
  authority: HarnessAuthority;
  etcd: EtcdHarness;
  controller(name: string, port?: number): Promise<Controller>;
  agent(
    node: string,
    ports: number[],
    options?: { kind?: PrincipalKind; cluster?: string; protocolVersion?: number },
  ): Promise<AgentHandle>;
  operator(port: number): Promise<Operator>;
  stop(): Promise<void>;
}

/** The agent as one file next to node_modules, so that etcd3 finds its .proto file. */
async function bundleAgent(dir: string): Promise<string> {
  const outfile = join(dir, 'agent-process.mjs');
  await build({
    entryPoints: [join(root, 'test/harness/agent-process.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
  return outfile;
}

export async function startCluster(members: 1 | 3 = 1): Promise<Cluster> {
  mkdirSync(join(root, 'node_modules/.cache'), { recursive: true });
  // Below node_modules, so that the child process resolves packages.
  const code = mkdtempSync(join(root, 'node_modules/.cache/harness-'));
  const dir = mkdtempSync(join(tmpdir(), 'nix-infra-harness-'));
  const authority = await makeAuthority(join(dir, 'ca'), clusterName);
  const etcd = await startEtcd(join(dir, 'etcd'), authority, members);
  const program = await bundleAgent(code);
  const controllers: Controller[] = [];
  const operators: Operator[] = [];
  const children = new Set<ChildProcess>();

  async function agent(
    node: string,
    ports: number[],
    options: Parameters<Cluster['agent']>[2] = {},
  ): Promise<AgentHandle> {
    const home = join(dir, `agent-${node}-${await freePort()}`);
    const at = (name: string) => join(home, name);
    for (const name of ['apps.d', 'record/active', 'record/failed', 'record/systems', 'state'])
      mkdirSync(at(name), { recursive: true });
    const tls = await authority.issue(node, options.kind ?? 'node', options.cluster);
    const config = {
      cluster: clusterName,
      node,
      controllers: ports.map((port) => `localhost:${port}`),
      tls,
      etcd: etcd.config,
      appsDir: at('apps.d'),
      stateDir: at('state'),
      configDir: at('nixos'),
      activator: 'nixos',
    };
    writeFileSync(at('agent.json'), JSON.stringify(config));
    let child: ChildProcess;
    const start = () => {
      const out = openSync(at('log'), 'a');
      const version = options.protocolVersion === undefined ? [] : [String(options.protocolVersion)];
      child = spawn(process.execPath, [program, at('agent.json'), at('record'), ...version], {
        stdio: ['ignore', out, out],
      });
      children.add(child);
    };
    start();
    return {
      node,
      appsDir: at('apps.d'),
      configDir: at('nixos'),
      recordDir: at('record'),
      log: () => readFileSync(at('log'), 'utf8'),
      unit: (name, active) => {
        const file = join(at('record/active'), name);
        if (active) writeFileSync(file, '');
        else rmSync(file, { force: true });
      },
      kill: async (signal) => {
        const exited = once(child, 'exit');
        child.kill(signal);
        await exited;
      },
      restart: start,
    };
  }

  return {
    dir,
    authority,
    etcd,
    controller: async (name, port) => {
      const tls: CertificateFiles = await authority.issue(name, 'controller');
      const listen = `127.0.0.1:${port ?? (await freePort())}`;
      const level = process.env.HARNESS_LOG ?? 'silent';
      const config = {
        cluster: clusterName,
        name,
        listen,
        etcd: etcd.config,
        tls,
        etcdMembers: etcd.members.map((m) => ({ name: m.name, endpoint: m.endpoint })),
      };
      const controller = await startController(config, pino({ level, base: { controller: name } }));
      controllers.push(controller);
      return controller;
    },
    agent,
    operator: async (port) => {
      const operator = operatorAt(port, await authority.issue('alice', 'operator'));
      operators.push(operator);
      return operator;
    },
    stop: async () => {
      for (const operator of operators) operator.close();
      for (const child of children)
        if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await Promise.all(controllers.map((controller) => controller.stop()));
      await etcd.stop();
      rmSync(dir, { recursive: true, force: true });
      rmSync(code, { recursive: true, force: true });
    },
  };
}
