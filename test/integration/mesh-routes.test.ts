/** Routes as a node has them: keys in a real etcd, rendered by a real confd, served by a real haproxy. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { holds, parseRendered } from '../../agent/mesh/rendered.js';
import { readRoutes } from '../../agent/mesh/routes.js';
import { isUp, parseAnswer, question } from '../../agent/mesh/show-stat.js';
import type { EtcdLease } from '../../shared/etcd/store.js';
import { makeAuthority } from '../harness/certificates.js';
import { type ConfdHarness, startConfd } from '../harness/confd.js';
import { type EtcdHarness, freePort, startEtcd } from '../harness/etcd.js';
import { type Haproxy, startHaproxy } from '../harness/haproxy.js';
import { meshConfig } from '../harness/mesh-config.js';
import { until } from '../harness/until.js';

const subscriber = { node: 'worker001', services: ['frontends'] };
const app = '/cluster/frontends/app';

let dir: string;
let file: string;
let port: number;
let etcd: EtcdHarness;
let confd: ConfdHarness;
let haproxy: Haproxy;
const servers: Server[] = [];
/** Ids of servers that take requests and never answer. */
const hanging = new Set<string>();

async function startServer(id: string): Promise<number> {
  const server = createServer((request, answer) => {
    if (!hanging.has(id)) answer.end(JSON.stringify({ id, headers: request.headers }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

const instance = (id: string, at: number) => JSON.stringify({ node: id, ipv4: '127.0.0.1', port: at });
const meta = (fields: object) => JSON.stringify({ publish: { port }, env: { PROTOCOL: 'http' }, ...fields });

/** Waits until the file is what the agent reads in etcd, and puts it in service, as confd's reload command does. */
async function serve(): Promise<string> {
  const { entries } = await etcd.store.getPrefix('/cluster/');
  const { routes } = readRoutes(entries, subscriber);
  const text = await until('the file follows', 10_000, () => {
    const rendered = readFileSync(file, 'utf8');
    return holds(parseRendered(rendered), routes) && rendered;
  });
  await haproxy.reload(text);
  return text;
}

async function ask(headers: Record<string, string> = {}) {
  const answer = await fetch(`http://127.0.0.1:${port}/`, {
    headers: { connection: 'close', ...headers },
    signal: AbortSignal.timeout(5_000),
  });
  return (await answer.json()) as { id: string; headers: Record<string, string> };
}

async function up(): Promise<string[]> {
  const found = parseAnswer(await haproxy.admin(question.trim()));
  return found === 'stopping'
    ? []
    : found.servers.filter((one) => isUp(one.status, one.weight)).map(({ server }) => server);
}

let ports: Record<string, number>;
let lease: EtcdLease;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'nix-infra-mesh-routes-'));
  file = join(dir, 'rendered.cfg');
  writeFileSync(file, '');
  port = await freePort();
  ports = { worker001: await startServer('worker001'), worker002: await startServer('worker002') };
  etcd = await startEtcd(dir, await makeAuthority(dir, 'routes'));
  await etcd.store.put('/cluster/nodes/worker001', JSON.stringify(subscriber));
  await etcd.store.put(`${app}/meta_data`, meta({ health: { path: '/ping' } }));
  lease = await etcd.store.grant(30);
  for (const [id, at] of Object.entries(ports)) {
    await etcd.store.put(`${app}/instances/${id}`, instance(id, at), lease.id);
    await etcd.store.put(`${app}/last/${id}`, instance(id, at));
  }
  confd = startConfd({
    dir: join(dir, 'confd'),
    endpoints: etcd.config.endpoints,
    tls: etcd.config,
    ...subscriber,
    resource: { dest: file, check: 'haproxy -c -f {{.src}}' },
  });
  haproxy = await startHaproxy(dir, meshConfig('nothing', await freePort(), {}));
});
afterAll(async () => {
  lease?.release();
  await confd?.stop();
  await haproxy?.stop();
  await etcd?.stop();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(dir, { recursive: true, force: true });
});

it('tells an http app who asked, and leaves alone what a proxy before it said', async () => {
  await serve();
  await until('an answer', 10_000, ask);
  expect((await ask()).headers).toMatchObject({
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': `127.0.0.1:${port}`,
  });
  const told = {
    'x-forwarded-for': '203.0.113.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'shop.example',
  };
  expect((await ask(told)).headers).toMatchObject(told);
});

it('takes an app that accepts and never answers out by its check', async () => {
  await until('both serve', 10_000, async () => (await up()).length === 2);
  hanging.add('worker002');
  await until('one is out', 10_000, async () => (await up()).join() === 'worker001');
  for (let at = 0; at < 4; at++) expect((await ask()).id).toBe('worker001');
  hanging.clear();
  await until('it is back', 10_000, async () => (await up()).length === 2);
});

it('serves the rest when values are broken, and says which', async () => {
  await etcd.store.put('/cluster/frontends/broken/meta_data', '{"publish":{"port":8');
  await etcd.store.put('/cluster/frontends/other/meta_data', JSON.stringify({ publish: { port } }));
  await etcd.store.put(
    `${app}/instances/worker003`,
    '{"ipv4":"10.0.0.1:1 check\\n server evil 6.6.6.6:6","port":1}',
  );
  await etcd.store.put(`${app}/instances/worker004`, instance('worker004', ports.worker001 as number));
  const text = await serve();
  expect(text).toContain('server worker004 ');
  expect(text).not.toMatch(/^\s*server evil/m);
  await until('an answer', 10_000, ask);
  const { entries } = await etcd.store.getPrefix('/cluster/');
  expect(readRoutes(entries, subscriber).warnings.map(({ code, subject }) => [code, subject])).toEqual([
    ['mesh.invalid', `${app}/instances/worker003`],
    ['mesh.invalid', '/cluster/frontends/broken/meta_data'],
    ['mesh.conflict', 'frontends/other'],
  ]);
  for (const key of ['broken', 'other']) await etcd.store.deletePrefix(`/cluster/frontends/${key}/`);
  for (const id of ['worker003', 'worker004']) await etcd.store.delete(`${app}/instances/${id}`);
});

it('keeps the last ones when every instance is gone with its lease, until somebody says that they left', async () => {
  await lease.revoke();
  const text = await serve();
  expect(text).toContain('# held: ');
  await until('an answer', 10_000, ask);
  const { entries } = await etcd.store.getPrefix('/cluster/');
  const { routes, warnings } = readRoutes(entries, subscriber);
  expect(routes.map(({ held, servers: some }) => [held, some.map(({ id }) => id)])).toEqual([
    [true, ['worker001', 'worker002']],
  ]);
  expect(warnings.map(({ code }) => code)).toEqual(['mesh.held']);
  // One that is registered again is the truth, and the others are not.
  await etcd.store.put(`${app}/instances/worker002`, instance('worker002', ports.worker002 as number));
  expect(await serve()).not.toContain('# held: ');
  await until('only that one serves', 10_000, async () => (await up()).join() === 'worker002');
  await etcd.store.delete(`${app}/instances/worker002`);
  for (const id of Object.keys(ports)) await etcd.store.delete(`${app}/last/${id}`);
  expect(await serve()).not.toMatch(/^\s*server /m);
});

it('goes on serving when the registration of the node itself is broken or gone', async () => {
  await etcd.store.put(`${app}/instances/worker001`, instance('worker001', ports.worker001 as number));
  for (const value of ['{"services":["fro', '', '{"services":"frontends"}']) {
    await etcd.store.put('/cluster/nodes/worker001', value);
    await until('the file says so', 10_000, () =>
      readFileSync(file, 'utf8').includes('# the registration of this node'),
    );
    expect((await serve()).match(/^ +server .*$/gm)).toHaveLength(1);
  }
  await etcd.store.delete('/cluster/nodes/worker001');
  await until(
    'read again',
    10_000,
    () => !readFileSync(file, 'utf8').includes('# the registration of this node'),
  );
  expect((await serve()).match(/^ +server .*$/gm)).toHaveLength(1);
  await etcd.store.put('/cluster/nodes/worker001', JSON.stringify({ services: [''] }));
  await until('no group, no route', 10_000, () => parseRendered(readFileSync(file, 'utf8')).length === 0);
});
