/** A command against a control node without power: its connection is never answered, not even with a refusal. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { commandRunner } from '../../lab/demo/command.js';
import { repoRoot } from '../../lab/repo-root.js';
import { CONTROLLER_PORT } from '../../shared/protocol.js';

const address = '127.0.0.77';
const dir = mkdtempSync(join(tmpdir(), 'nix-infra-exit-'));
const run = commandRunner(repoRoot(), dir);
const sockets: Socket[] = [];
let listener: ChildProcess;

/** Listens and never accepts: the kernel drops what comes once the queue is full. */
const deaf = `require('node:net').createServer().listen(
  { port: ${CONTROLLER_PORT}, host: '${address}', backlog: 1 },
  () => { require('node:fs').writeSync(1, 'up'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); },
);`;

async function answered(): Promise<boolean> {
  const socket = connect({ port: CONTROLLER_PORT, host: address });
  sockets.push(socket.on('error', () => undefined));
  const silence = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 500));
  return Promise.race([once(socket, 'connect').then(() => true), silence]);
}

beforeAll(async () => {
  listener = spawn(process.execPath, ['-e', deaf], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(listener.stdout as NodeJS.ReadableStream, 'data');
  while (await answered());
  await run(['init', '--batch']);
  writeFileSync(
    join(dir, 'cluster.yaml'),
    'name: deaf\nnixos: "25.05"\nprovider: { kind: self-hosted }\nnodes: { control: [etcd001] }\n',
  );
  writeFileSync(
    join(dir, 'servers.yaml'),
    `servers: { etcd001: { ip: ${address}, ssh_key: ./ssh/nixinfra } }\n`,
  );
});
afterAll(() => {
  listener?.kill('SIGKILL');
  for (const socket of sockets) socket.destroy();
  rmSync(dir, { recursive: true, force: true });
});

it('ends when it has given up, not when the kernel has', async () => {
  const began = performance.now();
  const { stdout } = await run(['status', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ controller: '', nodes: [{ name: 'etcd001' }] });
  // The kernel tries for 127 s with its usual six repetitions; the command itself gives up after 5.
  expect(performance.now() - began).toBeLessThan(60_000);
}, 150_000);
