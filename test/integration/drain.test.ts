/**
 * An instance leaves and comes back under load, with the real haproxy in the mesh's configuration and two real apps: dropped by a reload,
 * its open requests end, the app is stopped, started and served again. Nobody may notice.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Ledger, startLedger, summarise } from '../../lab/demo/ledger.js';
import { freePort } from '../harness/etcd.js';
import { type Haproxy, startHaproxy } from '../harness/haproxy.js';
import { meshConfig } from '../harness/mesh-config.js';
import { until } from '../harness/until.js';

const program = fileURLToPath(new URL('../../app_modules/hello/server.mjs', import.meta.url));
const ids = ['worker001', 'worker002'] as const;
type Id = (typeof ids)[number];

let dir: string;
let port: number;
let haproxy: Haproxy;
let ledger: Ledger;
const ports = {} as Record<Id, number>;
const children = {} as Record<Id, ChildProcess>;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'nix-infra-drain-'));
  port = await freePort();
  for (const id of ids) {
    ports[id] = await freePort();
    await start(id);
  }
  haproxy = await startHaproxy(dir, config(ids));
});
afterAll(async () => {
  await haproxy?.stop();
  for (const id of ids) children[id]?.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(async () => {
  ledger = startLedger(`http://127.0.0.1:${port}/`, 200, {
    slow: { path: '/slow?ms=2000', perSecond: 10, timeoutMs: 10_000 },
  });
  // From now on there are slow requests under way at any moment.
  await until('a slow answer', 10_000, () => ledger.entries.some((one) => one.path !== '/'));
});
afterEach(() => ledger.stop());

function config(served: readonly Id[]): string {
  return meshConfig('hello', port, Object.fromEntries(served.map((id) => [id, `127.0.0.1:${ports[id]}`])));
}

async function start(id: Id): Promise<void> {
  const env = { PORT: String(ports[id]), NODE_NAME: id };
  children[id] = spawn(process.execPath, [program], { env, stdio: 'ignore' });
  await until(`${id} answers`, 10_000, async () => {
    const answer = await fetch(`http://127.0.0.1:${ports[id]}/ping`, { headers: { connection: 'close' } });
    return answer.ok;
  });
}

/** Ends the app as systemd does; its exit code, null for a signal. */
async function stop(id: Id): Promise<number | null> {
  const exited = once(children[id], 'exit');
  children[id].kill('SIGTERM');
  const [code] = (await exited) as [number | null];
  return code;
}

/** Established connections of the app, seen from its side. */
function established(id: Id): number {
  const local = `0100007F:${ports[id].toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, address, , state]) => address === local && state === '01').length;
}

/** Clients with one connection each, which they keep. */
function clients(count: number) {
  const agents = Array.from({ length: count }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  const ask = (agent: Agent, method: string) =>
    new Promise<string>((resolve) => {
      const outgoing = request({ agent, host: '127.0.0.1', port, method }, (answer) => {
        answer.resume().on('end', () => resolve(`status ${answer.statusCode}`));
      });
      outgoing.setTimeout(5_000, () => outgoing.destroy(new Error('no answer')));
      outgoing.on('error', (error) => resolve(error.message)).end(method === 'POST' ? 'body' : undefined);
    });
  return {
    /** One request each, 2 ms apart: the different answers there were. */
    all: async (method: string) => {
      const answers = agents.map(async (agent, at) => {
        await pause(at * 2);
        return ask(agent, method);
      });
      return [...new Set(await Promise.all(answers))];
    },
    close: () => {
      for (const agent of agents) agent.destroy();
    },
  };
}

async function verdict(): Promise<void> {
  const entries = await ledger.stop();
  const { causes, failed } = summarise(entries);
  expect({ causes, failed }).toEqual({ causes: {}, failed: 0 });
  const seconds = Math.max(...entries.map((entry) => entry.at)) / 1_000;
  expect(entries.length / seconds).toBeGreaterThan(190);
}

it('loses no request when it waits for the open ones', async () => {
  for (const [gone, stays] of [ids, ids.toReversed(), ids, ids.toReversed()] as [Id, Id][]) {
    // Connections that the old haproxy keeps: their next request is its to place, and it still knows the instance.
    const idle = clients(30);
    for (const method of ['GET', 'GET']) expect(await idle.all(method)).toEqual(['status 200']);
    await haproxy.reload(config([stays]));
    const began = Date.now();
    await until(`${gone} has no connection`, 30_000, () => established(gone) === 0);
    // The slow ones take 2 s. What is idle must not be waited for much longer.
    expect(Date.now() - began).toBeLessThan(5_000);
    const [code, answers] = await Promise.all([stop(gone), idle.all('POST')]);
    expect({ code, answers }).toEqual({ code: 0, answers: ['status 200'] });
    idle.close();
    await start(gone);
    await haproxy.reload(config(ids));
    const since = ledger.entries.length;
    await until(`${gone} serves`, 5_000, () =>
      ledger.entries.slice(since).some((entry) => entry.body.includes(gone)),
    );
  }
  await verdict();
});

it('loses no request when the time to drain is over and the app is stopped in the middle of some', async () => {
  for (const [gone, stays] of [ids, ids.toReversed()] as [Id, Id][]) {
    const idle = clients(30);
    for (const method of ['GET', 'GET']) expect(await idle.all(method)).toEqual(['status 200']);
    await haproxy.reload(config([stays]));
    expect(established(gone)).toBeGreaterThan(0);
    const [code, answers] = await Promise.all([stop(gone), idle.all('POST')]);
    expect({ code, answers }).toEqual({ code: 0, answers: ['status 200'] });
    idle.close();
    await start(gone);
    await haproxy.reload(config(ids));
  }
  await verdict();
});
