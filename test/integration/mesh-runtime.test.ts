/** Instances come and go in a real haproxy without a reload, beside a real confd whose file stays the record. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../agent/clock.js';
import { MeshWatcher } from '../../agent/mesh/mesh-watcher.js';
import { RuntimeSource } from '../../agent/mesh/runtime-source.js';
import type { Mesh } from '../../proto/gen/nixinfra/v1/agent.js';
import { makeAuthority } from '../harness/certificates.js';
import { type EtcdHarness, freePort, startEtcd } from '../harness/etcd.js';
import { type MeshNode, startMeshNode } from '../harness/mesh-node.js';
import { request, startLoad } from '../harness/requests.js';
import { until } from '../harness/until.js';

const subscriber = { node: 'worker009', services: ['frontends'] };
const told: Mesh[] = [];
let dir: string;
let etcd: EtcdHarness;
let mesh: MeshNode;
let port: number;
let agent: { watcher: MeshWatcher; stop(): void } | undefined;
interface App {
  server: Server;
  port: number;
  /** Late answers that it was asked for. */
  slow: number;
}
const apps = new Map<string, App>();

function startAgentPart() {
  const source = new RuntimeSource({ subscriber, etcd: etcd.store, onChange: () => watcher.wake() });
  const watcher = new MeshWatcher({
    socketPath: mesh.socket,
    clock: systemClock,
    log: pino({ level: 'silent' }),
    onChange: (served) => told.push(served),
    source,
    record: mesh.record,
  });
  source.start();
  watcher.start();
  const stop = () => {
    watcher.stop();
    source.stop();
  };
  return { watcher, stop };
}

/** Answers with its id; `/slow` answers late. */
async function startApp(id: string): Promise<void> {
  const server = createServer((asked, answer) => {
    const say = () => answer.end(id);
    if (asked.url !== '/slow') return say();
    app.slow += 1;
    setTimeout(say, 1_500);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const app: App = { server, port: (server.address() as AddressInfo).port, slow: 0 };
  apps.set(id, app);
}

const key = (id: string) => `/cluster/frontends/hello/instances/${id}`;
const register = (id: string, as = id) =>
  etcd.store.put(key(id), JSON.stringify({ ipv4: '127.0.0.1', node: id, port: apps.get(as)?.port }));

const address = (id: string) => `127.0.0.1:${apps.get(id)?.port}`;
const rendered = () => readFileSync(mesh.record.file, 'utf8');
const isRendered = (id: string, is = true, as = id) =>
  until(
    `the file ${is ? 'has' : 'has not'} ${id}`,
    10_000,
    () => is === rendered().includes(`server ${id} ${address(as)} check tcp-ut 1s\n`),
  );
/** Names and addresses of the servers that are in rotation. */
async function inRotation(): Promise<string[]> {
  const lines = (await mesh.admin('show servers state')).split('\n').filter((line) => /^\d+ /.test(line));
  return lines
    .map((line) => line.split(' '))
    .filter((fields) => fields[6] === '0')
    .map((fields) => `${fields[1]}/${fields[3]} ${fields[4]}:${fields[18]}`)
    .sort();
}
const servers = () =>
  agent?.watcher.current()?.servers.map(({ server, up }) => `${server} ${up ? 'up' : 'down'}`);
const tells = (...expected: string[]) =>
  until(`the agent tells ${expected.join(', ') || 'nothing'}`, 10_000, () => {
    const seen = servers()?.join(', ');
    if (seen !== expected.join(', ')) throw new Error(`it tells ${seen}`);
    return true;
  });
/** Nothing but the mesh writes to this etcd. */
const settled = () =>
  until('the newest revision is served', 10_000, async () => {
    const { revision } = await etcd.store.getPrefix('/cluster/');
    const now = agent?.watcher.current();
    return now?.revision === revision && now.seenRevision === revision;
  });

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'nix-infra-mesh-runtime-'));
  etcd = await startEtcd(dir, await makeAuthority(join(dir, 'pki'), 'test'));
  for (const id of ['worker001', 'worker002', 'worker003']) await startApp(id);
  port = await freePort();
  const meta = { env: { PORT: port, PROTOCOL: 'http' }, env_prefix: 'HELLO', publish: { port } };
  await etcd.store.put(
    '/cluster/nodes/worker009',
    JSON.stringify({ ipv4: '127.0.0.1', name: 'worker009', services: ['frontends'] }),
  );
  await etcd.store.put('/cluster/frontends/hello/meta_data', JSON.stringify(meta));
  await register('worker001');
  const folder = join(dir, 'mesh');
  mesh = await startMeshNode({
    dir: folder,
    node: 'worker009',
    services: ['frontends'],
    etcd: etcd.config,
    asksFirst: true,
  });
  await until('the app answers', 10_000, async () => (await request(port)).text === 'worker001');
});
afterAll(async () => {
  agent?.stop();
  await mesh?.stop();
  await etcd?.stop();
  for (const { server } of apps.values()) server.close();
  rmSync(dir, { recursive: true, force: true });
});

it('without an agent an instance comes by a reload', async () => {
  const [worker, reloads] = [await mesh.worker(), mesh.reloads()];
  await register('worker002');
  await until('a reload', 10_000, () => mesh.reloads() > reloads);
  await until('another worker', 10_000, async () => (await mesh.worker()) !== worker);
  await until('the instance answers', 10_000, async () => (await request(port)).text === 'worker002');
  expect(await inRotation()).toEqual([
    `hello/worker001 ${address('worker001')}`,
    `hello/worker002 ${address('worker002')}`,
  ]);
});

it('says which revision haproxy serves', async () => {
  agent = startAgentPart();
  await tells('worker001 up', 'worker002 up');
  await settled();
  const { revision } = await etcd.store.getPrefix('/cluster/');
  expect(agent.watcher.current()?.revision).toBe(revision);
  expect(agent.watcher.current()?.warnings).toEqual([]);
});

it('instances come and go under load without a reload, and no request fails', async () => {
  const [worker, reloads] = [await mesh.worker(), mesh.reloads()];
  const load = startLoad(port);
  await register('worker003');
  await until('the new one answers', 10_000, () => load.answers.some(({ text }) => text === 'worker003'));
  await isRendered('worker003');
  await settled();
  const slow = Array.from({ length: 12 }, () => request(port, '/slow'));
  await until(
    'one that leaves has some of the slow requests',
    10_000,
    () => (apps.get('worker002')?.slow ?? 0) > 0,
  );
  await etcd.store.delete(key('worker002'));
  await tells('worker001 up', 'worker003 up');
  // It is out of rotation from then on: what was asked later went elsewhere.
  const from = performance.now();
  const late = await Promise.all(slow);
  expect(late.filter(({ status }) => status !== 200)).toEqual([]);
  expect(late.map(({ text }) => text)).toContain('worker002');
  await until(
    'the server is away',
    10_000,
    async () => !(await mesh.admin('show servers state')).includes('worker002'),
  );
  const failed = await load.stop();
  expect(failed).toEqual([]);
  const later = load.answers.filter(({ at }) => at > from).map(({ text }) => text);
  expect(later.length).toBeGreaterThan(100);
  expect(later).not.toContain('worker002');
  await isRendered('worker002', false);
  expect([await mesh.worker(), mesh.reloads()]).toEqual([worker, reloads]);
  await settled();
});

it('an instance moves to another address without a reload', async () => {
  const reloads = mesh.reloads();
  await register('worker001', 'worker002');
  await until('the other one answers', 10_000, async () => (await request(port)).text === 'worker002');
  await isRendered('worker001', true, 'worker002');
  await settled();
  await register('worker001');
  await isRendered('worker001');
  await settled();
  expect((await Promise.all([1, 2, 3, 4].map(() => request(port)))).map(({ text }) => text)).not.toContain(
    'worker002',
  );
  expect(mesh.reloads()).toBe(reloads);
});

it('many changes in a row need hardly a reload, and none of them is taken back', async () => {
  const reloads = mesh.reloads();
  const extra = Array.from({ length: 20 }, (_, at) => `worker001.${at}`);
  for (const id of extra) await register(id, 'worker001');
  const load = startLoad(port);
  for (const id of extra) {
    await etcd.store.delete(key(id));
    await register('worker002');
    await etcd.store.delete(key('worker002'));
  }
  await settled();
  await tells('worker001 up', 'worker003 up');
  expect(await load.stop()).toEqual([]);
  // Any doubt is a reload, and a busy machine may raise one; without the agent there is one for each change that confd sees by itself.
  expect(mesh.reloads() - reloads).toBeLessThan(extra.length / 4);
});

it('a reload afterwards gives the same state', async () => {
  await register('worker002');
  await isRendered('worker002');
  await settled();
  const before = await inRotation();
  expect(before).toHaveLength(3);
  await mesh.reload();
  expect(await inRotation()).toEqual(before);
});

it('one that is checked as the template says leaves when it dies, and GETs do not fail', async () => {
  // Added at runtime, so that its parameters are those of the agent.
  await etcd.store.delete(key('worker003'));
  await tells('worker001 up', 'worker002 up');
  await until(
    'the server is away',
    10_000,
    async () => !(await mesh.admin('show servers state')).includes('worker003'),
  );
  await register('worker003');
  await tells('worker001 up', 'worker002 up', 'worker003 up');
  const load = startLoad(port);
  await until('it answers', 10_000, () => load.answers.some(({ text }) => text === 'worker003'));
  const { server } = apps.get('worker003') as { server: Server };
  server.close();
  server.closeAllConnections();
  await tells('worker001 up', 'worker002 up', 'worker003 down');
  expect(await load.stop()).toEqual([]);
  await startApp('worker003');
  await register('worker003');
  await tells('worker001 up', 'worker002 up', 'worker003 up');
  await isRendered('worker003');
  await settled();
});

it('a reload from an older file is made good, and what that file has does not count as gone', async () => {
  await mesh.stopConfd();
  await etcd.store.delete(key('worker002'));
  await until(
    'it gets no request',
    10_000,
    async () => !(await inRotation()).some((one) => one.includes('worker002')),
  );
  await settled();
  // A reload would bring it back.
  await tells('worker001 up', 'worker002 down', 'worker003 up');
  await mesh.reload();
  await until(
    'it is out again',
    10_000,
    async () => !(await inRotation()).some((one) => one.includes('worker002')),
  );
  await settled();
  mesh.startConfd();
  await tells('worker001 up', 'worker003 up');
});

it('a change of shape is a reload', async () => {
  const reloads = mesh.reloads();
  const other = await freePort();
  const meta = { env: { PORT: other, PROTOCOL: 'http' }, env_prefix: 'OTHER', publish: { port: other } };
  await etcd.store.put('/cluster/frontends/other/meta_data', JSON.stringify(meta));
  await until('the reload', 10_000, () => mesh.reloads() > reloads);
  await until('the listener answers', 10_000, async () => (await request(other)).status === 503);
  await settled();
});

it.each<[string, string]>([
  ['nothing that can be understood', 'Permission denied\\n'],
  ['half of an answer', 'Pid: 1\\nStopping: 0\\n# pxname,svname'],
  ['nothing', ''],
])('confd reloads where haproxy answers %s', async (_, answer) => {
  const path = join(dir, 'fake.sock');
  const fake = createSocketServer((socket) => socket.once('data', () => socket.end(answer))).listen(path);
  await once(fake, 'listening');
  const { file, loaded, voucher } = mesh.record;
  const program = spawn(process.execPath, [join(dir, 'mesh/mesh.cjs'), file, loaded, path, voucher]);
  expect((await once(program, 'exit'))[0]).toBe(1);
  fake.close();
});

it('goes on with confd alone when the agent is away', async () => {
  agent?.stop();
  agent = undefined;
  const reloads = mesh.reloads();
  await etcd.store.delete(key('worker003'));
  await until('a reload', 10_000, () => mesh.reloads() > reloads);
  await until(
    'it has left',
    10_000,
    async () => !(await mesh.admin('show servers state')).includes('worker003'),
  );
});
