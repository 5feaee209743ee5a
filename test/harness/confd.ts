/** A real confd that watches etcd, run as systemd runs it: again after it ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CertificateFiles } from './certificates.js';
import { type ConfdResource, confdProgram, meshTemplate, writeConfdFolder } from './mesh-config.js';

export interface ConfdHarness {
  /** Of the process that runs now. */
  pid(): number | undefined;
  /** Kills the process and starts another one. */
  restart(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  log(): string;
  stop(): Promise<void>;
}

export interface ConfdOptions {
  dir: string;
  endpoints: readonly string[];
  tls: CertificateFiles;
  node: string;
  services: readonly string[];
  resource: ConfdResource;
}

export function startConfd({ dir, endpoints, tls, node, services, resource }: ConfdOptions): ConfdHarness {
  writeConfdFolder(dir, meshTemplate(node, services), [resource]);
  const out = openSync(join(dir, 'confd.log'), 'a');
  const args = ['-watch', '-backend', 'etcdv3', '-confdir', dir, '-log-level', 'info'];
  const files = ['-client-ca-keys', tls.ca, '-client-cert', tls.cert, '-client-key', tls.key];
  const nodes = endpoints.flatMap((endpoint) => ['-node', endpoint]);
  let child: ChildProcess | undefined;
  let again: NodeJS.Timeout | undefined;
  let stopped = false;

  function start(): void {
    const mine = spawn(confdProgram, [...args, ...files, ...nodes], { stdio: ['ignore', out, out] });
    child = mine;
    mine.once('exit', () => {
      // As Restart=always with RestartSec=2s.
      if (!stopped && child === mine) again = setTimeout(start, 2_000);
    });
  }
  async function kill(): Promise<void> {
    clearTimeout(again);
    const former = child;
    child = undefined;
    if (!former || former.exitCode !== null || former.signalCode !== null) return;
    const exited = once(former, 'exit');
    former.kill('SIGKILL');
    await exited;
  }

  start();
  return {
    pid: () => child?.pid,
    restart: async () => {
      await kill();
      start();
    },
    signal: (signal) => void child?.kill(signal),
    log: () => readFileSync(join(dir, 'confd.log'), 'utf8'),
    stop: async () => {
      stopped = true;
      await kill();
    },
  };
}
