/**
 * Into and out of etcd: three real members, the product's supervisor, apps with real checks. The truth is `…/instances/<id>` under a lease;
 * `…/last/<id>` remembers it beyond the lease, and goes only when an instance leaves deliberately.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { agentDefaults } from '../../agent/defaults.js';
import { etcdDefaults } from '../../shared/etcd/defaults.js';
import { type AppNode, type AppServer, appNode, startAppServer } from '../harness/app-node.js';
import { makeAuthority } from '../harness/certificates.js';
import { type EtcdHarness, startEtcd } from '../harness/etcd.js';
import { until } from '../harness/until.js';

let dir: string;
let etcd: EtcdHarness;
let servers: AppServer[];
let nodes: AppNode[];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'nix-infra-registration-'));
  const authority = await makeAuthority(join(dir, 'ca'), 'harness');
  etcd = await startEtcd(join(dir, 'etcd'), authority, 3);
});
afterAll(async () => {
  await etcd?.stop();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  servers = [];
  nodes = [];
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await Promise.all(servers.map((server) => server.close()));
  await etcd.store.deletePrefix('/cluster/');
});

async function server(): Promise<AppServer> {
  const made = await startAppServer();
  servers.push(made);
  return made;
}
function node(name: string, signals = true): AppNode {
  const made = appNode(join(dir, `apps-${Math.random()}`), name, etcd.config, { signals });
  nodes.push(made);
  return made;
}
/** Values by what follows `/cluster/frontends/`, with an `L` where a lease holds the key; without meta data. */
async function registry(): Promise<Record<string, string>> {
  const { entries } = await etcd.store.getPrefix('/cluster/frontends/');
  const told = entries
    .filter(({ key }) => !key.endsWith('/meta_data'))
    .map(({ key, value, lease }) => [
      key.replace('/cluster/frontends/', ''),
      `${value.toString()}${lease === '0' ? '' : ' L'}`,
    ]);
  return Object.fromEntries(told);
}
/** What the registry holds while these serve, as `app/id` and port. */
function both(instances: Record<string, number>, owner = 'worker001'): Record<string, string> {
  return Object.fromEntries(
    Object.entries(instances).flatMap(([at, port]) => {
      const [app = '', id = ''] = at.split('/');
      const value = `{"ipv4":"127.0.0.1","node":"${owner}","port":${port}}`;
      return [
        [`${app}/instances/${id}`, `${value} L`],
        [`${app}/last/${id}`, value],
      ];
    }),
  );
}
const same = (a: Record<string, string>, b: Record<string, string>) =>
  JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
/** Waits until the registry holds exactly this; how long that took, ms. */
async function holds(what: string, expected: Record<string, string>, limitMs = 10_000): Promise<number> {
  const began = Date.now();
  let seen: Record<string, string> = {};
  await until(what, limitMs, async () => {
    seen = await registry();
    return same(seen, expected);
  }).catch((error: unknown) => {
    expect(seen, what).toEqual(expected);
    throw error;
  });
  return Date.now() - began;
}
/** The bound for "leaves at once": the issue promises one second. */
const atOnce = 1_000;
/** A repair that nothing announces is found by looking: every verifyMs, with jitter. */
const found = etcdDefaults.verifyMs * 1.2 + 1_000;

describe('an instance', () => {
  it('is written with the key that remembers it, and leaves with it at once when its unit dies', async () => {
    const [app, worker] = [await server(), node('worker001')];
    worker.declare('hello', [app.port]);
    await worker.start();
    await holds('registered', both({ 'hello/worker001': app.port }));
    worker.unit('hello.service', 'failed');
    expect(await holds('gone', {}, atOnce)).toBeLessThan(atOnce);
    worker.unit('hello.service', 'active');
    await holds('back', both({ 'hello/worker001': app.port }));
  });

  it('leaves within a second also where nothing tells of units', async () => {
    const [app, worker] = [await server(), node('worker001', false)];
    worker.declare('hello', [app.port]);
    await worker.start();
    await holds('registered', both({ 'hello/worker001': app.port }));
    worker.unit('hello.service', 'failed');
    expect(await holds('gone', {}, atOnce)).toBeLessThan(atOnce);
  });

  it.each(['fails', 'hangs'] as const)('leaves by its check when it %s', async (mood) => {
    const [app, worker] = [await server(), node('worker001')];
    worker.declare('hello', [app.port]);
    await worker.start();
    await holds('registered', both({ 'hello/worker001': app.port }));
    app.mood = mood;
    // Two checks of 500 ms at most, 200 ms apart, and one that had just begun.
    await holds('gone', {}, 3_000);
    app.mood = 'works';
    await holds('back', both({ 'hello/worker001': app.port }));
  });

  it('leaves when it is held, and when it is not declared any more', async () => {
    const [app, worker] = [await server(), node('worker001')];
    worker.declare('hello', [app.port]);
    await worker.start();
    await holds('registered', both({ 'hello/worker001': app.port }));
    expect(await worker.supervisor.hold(['frontends/hello'])).toBe(true);
    expect(await registry()).toEqual({});
    worker.supervisor.release();
    await holds('back', both({ 'hello/worker001': app.port }));
    worker.undeclare('hello');
    await worker.supervisor.reload();
    await holds('gone', {});
  });

  it('whose agent ends goes with the lease, and is remembered', async () => {
    const [app, worker] = [await server(), node('worker001')];
    worker.declare('hello', [app.port]);
    await worker.start();
    const registered = both({ 'hello/worker001': app.port });
    await holds('registered', registered);
    await worker.stop();
    expect(await registry()).toEqual(registered);
    const { 'hello/last/worker001': last = '' } = registered;
    await holds('only remembered', { 'hello/last/worker001': last }, (agentDefaults.leaseTtlS + 5) * 1_000);
    await worker.start();
    await holds('back', registered);
  });

  it('stays registered while its agent restarts, but not at an address that it has no more', async () => {
    const [app, other, worker] = [await server(), await server(), node('worker001')];
    worker.declare('hello', [app.port]);
    await worker.start();
    await holds('registered', both({ 'hello/worker001': app.port }));
    const before = await etcd.store.get('/cluster/frontends/hello/instances/worker001');
    await worker.stop();
    await worker.start();
    await until('the new lease', 10_000, async () => {
      const now = await etcd.store.get('/cluster/frontends/hello/instances/worker001');
      // Never deleted and put again.
      expect(now?.createRevision).toBe(before?.createRevision);
      return now?.lease !== before?.lease;
    });
    await worker.stop();
    other.mood = 'fails';
    worker.declare('hello', [other.port], { health: { ...slowStart, port: other.port } });
    await worker.start();
    await holds('the old address is gone', {}, 5_000);
    other.mood = 'works';
    await holds('the new one is there', both({ 'hello/worker001': other.port }));
  });

  it('that died while no agent ran is removed at the start', async () => {
    const [app, worker] = [await server(), node('worker001')];
    worker.declare('hello', [app.port]);
    await worker.start();
    await holds('registered', both({ 'hello/worker001': app.port }));
    await worker.stop();
    worker.unit('hello.service', 'inactive');
    await worker.start();
    await holds('gone', {}, 3_000);
  });
});

/** A check whose first failures say nothing for a minute. */
const slowStart = { kind: 'http', path: '/', intervalMs: 200, timeoutMs: 500, startGraceMs: 60_000 };

describe('what a former life left', () => {
  it('is removed at the start, and nothing else', async () => {
    const [app, worker] = [await server(), node('worker001')];
    const value = '{"ipv4":"127.0.0.1","node":"worker001","port":1}';
    const strangers = {
      'old/last/worker002': 'x',
      'old/instances/worker0011': 'y',
      'old/last/worker002.1': 'z',
    };
    const own = ['old/last/worker001', 'old/instances/worker001', 'hello/last/worker001.7'];
    for (const key of own) await etcd.store.put(`/cluster/frontends/${key}`, value);
    for (const [key, text] of Object.entries(strangers))
      await etcd.store.put(`/cluster/frontends/${key}`, text);
    worker.declare('hello', [app.port]);
    await worker.start();
    await holds('only ours and those of others', { ...both({ 'hello/worker001': app.port }), ...strangers });
  });
});

describe('copies', () => {
  it('are instances of their own, each with its own unit and check', async () => {
    const [one, two, worker] = [await server(), await server(), node('worker001')];
    worker.declare('hello', [one.port, two.port]);
    await worker.start();
    const [first, second] = [{ 'hello/worker001.1': one.port }, { 'hello/worker001.2': two.port }];
    await holds('both', both({ ...first, ...second }));
    worker.unit('hello-1.service', 'failed');
    await holds('the second', both(second), atOnce);
    worker.unit('hello-1.service', 'active');
    await holds('both again', both({ ...first, ...second }));
    two.mood = 'fails';
    await holds('the first', both(first), 3_000);
    two.mood = 'works';
    await holds('both once more', both({ ...first, ...second }));
    // From two copies to one: another id.
    worker.declare('hello', [two.port]);
    worker.unit('hello.service', 'active');
    await worker.supervisor.reload();
    await holds('the only one', both({ 'hello/worker001': two.port }));
  });
});

describe('what others do to the keys', () => {
  it.each<[string, (instance: string, last: string) => Promise<unknown>]>([
    ['a deleted instance', (instance) => etcd.store.delete(instance)],
    ['a deleted memory', (_, last) => etcd.store.delete(last)],
    [
      'both deleted',
      async (instance, last) => [await etcd.store.delete(instance), await etcd.store.delete(last)],
    ],
    ['an overwritten instance, taken off its lease', (instance) => etcd.store.put(instance, '{"port":1}')],
    ['an overwritten memory', (_, last) => etcd.store.put(last, 'x')],
    [
      'a memory under a lease',
      async (instance, last) => {
        const { value, lease } = (await etcd.store.get(instance)) ?? { value: '', lease: '0' };
        await etcd.store.put(last, value, lease);
      },
    ],
  ])('%s is repaired', async (_, harm) => {
    const [app, worker] = [await server(), node('worker001')];
    worker.declare('hello', [app.port]);
    await worker.start();
    const registered = both({ 'hello/worker001': app.port });
    await holds('registered', registered);
    await harm('/cluster/frontends/hello/instances/worker001', '/cluster/frontends/hello/last/worker001');
    await until('the harm is done', 5_000, async () => !same(await registry(), registered));
    await holds('repaired', registered, found);
  });

  it('a revoked lease is replaced', async () => {
    const [app, worker] = [await server(), node('worker001')];
    worker.declare('hello', [app.port]);
    await worker.start();
    const registered = both({ 'hello/worker001': app.port });
    await holds('registered', registered);
    const key = '/cluster/frontends/hello/instances/worker001';
    const { lease } = (await etcd.store.get(key)) ?? { lease: '' };
    await etcd.revokeLease(lease);
    const { 'hello/last/worker001': last } = registered;
    // A memory stays: for whoever reads now, the registry is in trouble, and the instance is not gone.
    expect(await registry()).toEqual({ 'hello/last/worker001': last });
    await holds('back under another lease', registered, found + etcdDefaults.backoffMinMs * 2);
    expect((await etcd.store.get(key))?.lease).not.toBe(lease);
  });
});
