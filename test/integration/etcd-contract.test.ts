/** The model of etcd that the simulation runs on (test/simulation/etcd.ts) and a real etcd behave the same where rollouts depend on it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Change, Entry, EtcdStore } from '../../shared/etcd/store.js';
import { makeAuthority } from '../harness/certificates.js';
import { type EtcdHarness, startEtcd } from '../harness/etcd.js';
import { until } from '../harness/until.js';
import { SimEtcd } from '../simulation/etcd.js';
import { EtcdClient } from '../simulation/etcd-client.js';
import { Network } from '../simulation/network.js';
import { SimProcess } from '../simulation/process.js';
import { Random, Scheduler } from '../simulation/scheduler.js';

interface Subject {
  store: EtcdStore;
  /** Lets time pass until the promise settles, or until the condition holds. */
  take<T>(promise: Promise<T>): Promise<T>;
  see(what: string, look: () => Promise<boolean>): Promise<void>;
  stop(): Promise<void>;
}

async function realEtcd(): Promise<Subject> {
  const dir = await mkdtemp(join(tmpdir(), 'etcd-contract-'));
  const etcd: EtcdHarness = await startEtcd(dir, await makeAuthority(dir, 'contract'));
  return {
    store: etcd.store,
    take: (promise) => promise,
    see: async (what, look) => void (await until(what, 10_000, look)),
    stop: async () => {
      await etcd.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function model(): Promise<Subject> {
  const scheduler = new Scheduler();
  const random = new Random(1);
  const time = {
    now: () => scheduler.now,
    after: (ms: number, run: () => void) => scheduler.after(ms, run),
    lateness: () => random.between(0, 1_000),
  };
  const etcd = new SimEtcd(time, () => undefined);
  const network = new Network(scheduler, random);
  const process = new SimProcess('test', scheduler);
  const store = new EtcdClient({ process, host: 'test', name: 'test', etcd, network, random, scheduler });
  const take = async <T>(promise: Promise<T>): Promise<T> => {
    let settled = false;
    const end = () => {
      settled = true;
    };
    promise.then(end, end);
    await scheduler.run(() => settled, Number.POSITIVE_INFINITY);
    return promise;
  };
  return {
    store,
    take,
    see: async (what, look) => {
      const limit = scheduler.now + 10_000;
      while (!(await take(look()))) {
        if (scheduler.now > limit) throw new Error(`not in 10 s: ${what}`);
        await take(process.clock.sleep(20));
      }
    },
    stop: async () => undefined,
  };
}

describe.each([
  ['the model', model],
  ['a real etcd', realEtcd],
])('%s', (_, start) => {
  let subject: Subject;
  let store: EtcdStore;
  beforeAll(async () => {
    subject = await start();
    store = subject.store;
  });
  afterAll(() => subject.stop());
  const take = <T>(promise: Promise<T>) => subject.take(promise);
  const entry = async (key: string): Promise<Entry> => {
    const found = await take(store.get(key));
    if (!found) throw new Error(`${key} is not there`);
    return found;
  };
  const text = async (key: string) => (await take(store.get(key)))?.value.toString();

  it('carries out all writes of a transaction at one revision, or none', async () => {
    const absent = [{ key: '/t/a', modRevision: 0 }];
    const writes = [
      { do: 'put', key: '/t/a', value: '1' },
      { do: 'put', key: '/t/b', value: '1' },
    ] as const;
    expect(await take(store.transact(absent, writes))).toBe(true);
    const [a, b] = [await entry('/t/a'), await entry('/t/b')];
    expect(a.modRevision).toBe(b.modRevision);
    expect(a.createRevision).toBe(a.modRevision);
    expect(await take(store.transact(absent, [{ do: 'put', key: '/t/c', value: '1' }]))).toBe(false);
    expect(await take(store.get('/t/c'))).toBeUndefined();
  });

  it('keeps the create revision until the key is gone', async () => {
    await take(store.put('/c', '1'));
    const first = await entry('/c');
    await take(store.put('/c', '2'));
    const second = await entry('/c');
    expect(second.createRevision).toBe(first.createRevision);
    expect(second.modRevision).toBeGreaterThan(first.modRevision);
    const stale = [{ key: '/c', createRevision: first.createRevision }];
    expect(await take(store.delete('/c'))).toBe(1);
    expect(await take(store.delete('/c'))).toBe(0);
    expect(
      await take(store.transact([{ key: '/c', createRevision: 0 }], [{ do: 'put', key: '/c', value: '3' }])),
    ).toBe(true);
    expect((await entry('/c')).createRevision).toBeGreaterThan(second.modRevision);
    expect(await take(store.transact(stale, [{ do: 'put', key: '/c', value: '4' }]))).toBe(false);
    expect(await text('/c')).toBe('3');
  });

  it('makes no revision of deleting what is not there', async () => {
    const { revision } = await take(store.getPrefix('/'));
    expect(await take(store.transact([], [{ do: 'delete', key: '/nothing' }]))).toBe(true);
    expect((await take(store.getPrefix('/'))).revision).toBe(revision);
  });

  it('compares and sets, and says true when the key is as asked', async () => {
    expect(await take(store.compareAndSet('/s', 0, 'mine'))).toBe(true);
    expect(await take(store.compareAndSet('/s', 0, 'mine'))).toBe(true);
    expect(await take(store.compareAndSet('/s', 0, 'other'))).toBe(false);
    expect(await take(store.compareAndSet('/s', (await entry('/s')).modRevision, undefined))).toBe(true);
  });

  it('lists a prefix by key', async () => {
    for (const key of ['/l/b', '/l/a', '/lx']) await take(store.put(key, 'value'));
    const { entries } = await take(store.getPrefix('/l/', { keysOnly: true }));
    expect(entries.map(({ key, value }) => [key, value.toString()])).toEqual([
      ['/l/a', ''],
      ['/l/b', ''],
    ]);
    expect(await take(store.deletePrefix('/l/'))).toBe(2);
  });

  it('takes the keys of a lease away when it is not kept alive, and only those', async () => {
    const lease = await take(store.grant(2));
    await take(store.put('/lease/held', '1', lease.id));
    await take(store.put('/lease/freed', '1', lease.id));
    await take(store.put('/lease/freed', '2'));
    expect((await entry('/lease/held')).lease).toBe(lease.id);
    expect((await entry('/lease/freed')).lease).toBe('0');
    lease.release();
    await subject.see(
      'the key ends with its lease',
      async () => (await store.get('/lease/held')) === undefined,
    );
    expect(await text('/lease/freed')).toBe('2');
    await expect(take(store.put('/lease/late', '1', lease.id))).rejects.toMatchObject({
      code: 'etcd.unavailable',
    });
    const late = store.transact(
      [],
      [
        { do: 'put', key: '/lease/other', value: '1' },
        { do: 'put', key: '/lease/late', value: '1', lease: lease.id },
      ],
    );
    await expect(take(late)).rejects.toMatchObject({ code: 'etcd.unavailable' });
    expect(await take(store.get('/lease/other'))).toBeUndefined();
  });

  it('keeps a lease alive until it is revoked', async () => {
    const lease = await take(store.grant(2));
    await take(store.put('/kept', '1', lease.id));
    const other = await take(store.grant(2));
    await take(store.put('/let-go', '1', other.id));
    other.release();
    await subject.see('the other one ends', async () => (await store.get('/let-go')) === undefined);
    expect(await text('/kept')).toBe('1');
    await take(lease.revoke());
    expect(await take(store.get('/kept'))).toBeUndefined();
  });

  it('tells a watch what is there and then every change in its order', async () => {
    await take(store.put('/w/old', '0'));
    const seen: string[] = [];
    const watch = store.watchPrefix('/w/', ({ key, entry: found }: Change) => {
      seen.push(`${key}=${found?.value.toString() ?? 'gone'}`);
    });
    await take(watch.ready);
    expect(seen).toEqual(['/w/old=0']);
    for (const value of ['1', '2']) await take(store.put('/w/new', value));
    await take(store.delete('/w/old'));
    await take(store.transact([], [{ do: 'put', key: '/w/new', value: '3' }]));
    await subject.see('the last change', async () => {
      await store.get('/w/');
      return seen.length >= 5;
    });
    watch.close();
    expect(seen).toEqual(['/w/old=0', '/w/new=1', '/w/new=2', '/w/old=gone', '/w/new=3']);
  });
});
