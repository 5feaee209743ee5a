import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { BarrierKind, type BarrierReply } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Change, EtcdStore } from '../../shared/etcd/store.js';
import { controllerDefaults as defaults } from '../defaults.js';
import { keys } from '../store/keys.js';
import { watchBarrier } from './barrier-watch.js';
import { MeshView } from './mesh-view.js';

/** Watches as etcd delivers them, in the order of one revision counter. */
function watched() {
  const watches: { prefix: string; onChange: (change: Change) => void }[] = [];
  let revision = 0;
  let list: () => void = () => {};
  const listed = new Promise<void>((resolve) => {
    list = resolve;
  });
  const etcd = {
    watchPrefix: (prefix: string, onChange: (change: Change) => void) => {
      watches.push({ prefix, onChange });
      return { ready: listed, close: () => {} };
    },
  } as unknown as EtcdStore;
  const put = (key: string, value: unknown) => {
    revision += 1;
    const entry = {
      key,
      value: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value ?? null)),
      lease: '0',
      modRevision: revision,
      createRevision: revision,
    };
    for (const { prefix, onChange } of watches)
      if (key.startsWith(prefix)) onChange({ key, entry: value === undefined ? undefined : entry });
  };
  return { etcd, put, list };
}

const instance = { group: 'frontends', app: 'hello', id: 'w1', address: '10.10.1.0:80' };
const meshWith = (...up: boolean[]) => ({
  readable: true,
  servers: up.map((one) => ({ backend: 'hello', server: 'w1', address: '10.10.1.0:80', up: one })),
});
const session = { controller: 'c', sinceMs: 1 };
let world: ReturnType<typeof watched>;
let view: MeshView;
let replies: BarrierReply[];

beforeEach(() => {
  vi.useFakeTimers();
  world = watched();
  view = new MeshView(world.etcd, pino({ level: 'silent' }));
  replies = [];
  world.put(keys.clusterNode('n1'), { name: 'n1', ipv4: '10.0.0.1', services: ['frontends'] });
});
afterEach(() => {
  view.close();
  vi.useRealTimers();
});

const barrier = (kind: BarrierKind) =>
  watchBarrier(view, { order: 'o', kind, instances: [instance] }, (reply) => replies.push(reply));
const dropped = () => barrier(BarrierKind.BARRIER_KIND_DROPPED);
const told = async () => {
  await vi.advanceTimersByTimeAsync(0);
  return replies.map(({ waiting, reached }) => [reached, ...waiting]);
};

it('tells a barrier at once and at every change until it is reached, and nothing after', async () => {
  world.put(keys.session('n1'), session);
  world.put(keys.mesh('n1'), meshWith(true));
  world.list();
  barrier(BarrierKind.BARRIER_KIND_SERVED);
  expect(await told()).toEqual([[true]]);
  dropped();
  expect(await told()).toEqual([[true], [false, 'n1']]);
  world.put(keys.mesh('n1'), meshWith(false));
  expect(await told()).toHaveLength(2);
  world.put(keys.mesh('n1'), meshWith());
  world.put(keys.mesh('n1'), meshWith(true));
  expect(await told()).toEqual([[true], [false, 'n1'], [true]]);
});

it('does not judge before all of etcd was read', async () => {
  dropped();
  expect(await told()).toEqual([]);
  world.put(keys.session('n1'), session);
  world.put(keys.mesh('n1'), meshWith(true));
  world.list();
  expect(await told()).toEqual([[false, 'n1']]);
});

it('does not trust what a former session told', async () => {
  world.put(keys.mesh('n1'), meshWith());
  world.put(keys.session('n1'), session);
  world.list();
  dropped();
  expect(await told()).toEqual([[false, 'n1']]);
  world.put(keys.mesh('n1'), meshWith());
  expect(await told()).toEqual([[false, 'n1'], [true]]);
});

it('waits a moment for a node that looks for another controller, and no longer', async () => {
  world.put(keys.session('n1'), session);
  world.put(keys.mesh('n1'), meshWith(true));
  world.list();
  world.put(keys.session('n1'), undefined);
  dropped();
  expect(await told()).toEqual([[false, 'n1']]);
  vi.advanceTimersByTime(defaults.awayGraceMs - 1);
  expect(await told()).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(await told()).toEqual([[false, 'n1'], [true]]);
});

it('waits for a node that came back in time', async () => {
  world.put(keys.session('n1'), session);
  world.put(keys.mesh('n1'), meshWith(true));
  world.list();
  world.put(keys.session('n1'), undefined);
  dropped();
  world.put(keys.session('n1'), session);
  vi.advanceTimersByTime(defaults.awayGraceMs * 2);
  expect(await told()).toEqual([[false, 'n1']]);
});

it('treats a node whose session it never saw as one that just left', async () => {
  world.put(keys.mesh('n1'), meshWith(true));
  world.list();
  dropped();
  expect(await told()).toEqual([[false, 'n1']]);
});

it('does not take a haproxy that cannot be read for one that has dropped the instance', async () => {
  world.put(keys.session('n1'), session);
  world.put(keys.mesh('n1'), { readable: false, servers: [] });
  world.list();
  dropped();
  expect(await told()).toEqual([[false, 'n1']]);
});

it('survives values that are not readable and goes on with the last good ones', async () => {
  world.put(keys.session('n1'), session);
  world.put(keys.mesh('n1'), meshWith(true));
  world.put(keys.mesh('n1'), 'not json');
  world.put(keys.clusterNode('n1'), { name: 1 });
  world.list();
  dropped();
  expect(await told()).toEqual([[false, 'n1']]);
});

it('says nothing more after the barrier was ended', async () => {
  world.put(keys.session('n1'), session);
  world.put(keys.mesh('n1'), meshWith(true));
  world.list();
  const end = dropped();
  end();
  world.put(keys.mesh('n1'), meshWith());
  expect(await told()).toEqual([]);
});
