/** What the agent tells of a real haproxy while it starts, is reloaded, and goes. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../agent/clock.js';
import { MeshWatcher } from '../../agent/mesh/mesh-watcher.js';
import type { Mesh } from '../../proto/gen/nixinfra/v1/agent.js';
import { freePort } from '../harness/etcd.js';
import { type Haproxy, startHaproxy } from '../harness/haproxy.js';
import { until } from '../harness/until.js';

let dir: string;
let app: Server;
let haproxy: Haproxy | undefined;
let watcher: MeshWatcher;
const told: Mesh[] = [];
const gone: Mesh = { readable: false, servers: [], revision: 0, seenRevision: 0, warnings: [] };
let config: (servers: Record<string, number>) => string;
let port: number;
let appPort: number;
let deadPort: number;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'nix-infra-mesh-'));
  app = createServer((_, answer) => answer.end('ok')).listen(0, '127.0.0.1');
  await once(app, 'listening');
  appPort = (app.address() as AddressInfo).port;
  deadPort = await freePort();
  port = await freePort();
  config = (servers) => `
global
  stats socket /run/haproxy/haproxy.sock mode 660 level admin expose-fd listeners
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
listen in
  bind 127.0.0.1:${port}
  option idle-close-on-response
  use_backend hello
backend hello
  default-server inter 100ms fall 2 rise 1
${Object.entries(servers)
  .map(([name, at]) => `  server ${name} 127.0.0.1:${at} check\n`)
  .join('')}`;
  watcher = new MeshWatcher({
    socketPath: join(dir, 'haproxy.sock'),
    clock: systemClock,
    log: pino({ level: 'silent' }),
    onChange: (mesh) => told.push(mesh),
  });
});
afterAll(async () => {
  watcher?.stop();
  await haproxy?.stop();
  app?.close();
  rmSync(dir, { recursive: true, force: true });
});

const servers = () => watcher.current()?.servers.map(({ server, up }) => `${server} ${up ? 'up' : 'down'}`);
const sees = (...expected: string[]) =>
  until(`the watcher sees ${expected.join(', ') || 'nothing'}`, 5_000, () => {
    const seen = servers()?.join(', ');
    return watcher.current()?.readable && seen === expected.join(', ');
  });

it('says that there is no haproxy', async () => {
  expect(watcher.current()).toBeUndefined();
  watcher.start();
  await until('told', 5_000, () => told.length > 0);
  expect(told).toEqual([gone]);
});

it('tells the servers of a haproxy that starts, and which get requests', async () => {
  haproxy = await startHaproxy(dir, config({ worker001: appPort, worker002: deadPort }));
  await sees('worker001 up', 'worker002 down');
  expect(watcher.current()?.servers[0]).toEqual({
    backend: 'hello',
    server: 'worker001',
    address: `127.0.0.1:${appPort}`,
    up: true,
  });
});

it('tells the drop after a reload without the server, also while the old worker lives', async () => {
  // An open client connection keeps the old worker.
  const client = connect(port, '127.0.0.1');
  await once(client, 'connect');
  await haproxy?.reload(config({ worker001: appPort }));
  await sees('worker001 up');
  await haproxy?.reload(config({}));
  await sees();
  await haproxy?.reload(config({ worker001: appPort, worker002: deadPort }));
  await sees('worker001 up', 'worker002 down');
  client.destroy();
});

it('tells when a server stops to answer its checks', async () => {
  const closed = once(app, 'close');
  app.close();
  app.closeAllConnections();
  await closed;
  await sees('worker001 down', 'worker002 down');
});

it('tells changes only', async () => {
  const count = told.length;
  const asked = async () => Number(/^CumReq: (\d+)$/m.exec((await haproxy?.admin('show info')) ?? '')?.[1]);
  const before = await asked();
  await until('it asked again and again', 5_000, async () => (await asked()) > before + 20);
  expect(told).toHaveLength(count);
  for (const [at, mesh] of told.entries()) expect(mesh).not.toEqual(told[at + 1]);
});

it('says that haproxy is gone', async () => {
  await haproxy?.stop();
  await until('gone', 5_000, () => watcher.current()?.readable === false);
  expect(told.at(-1)).toEqual(gone);
});
