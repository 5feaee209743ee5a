/** Rollouts over real etcd, real controllers and real agents; only what an agent switches is recorded instead of done. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Rollout } from '../../controller/rollout/rollout.js';
import type { Controller } from '../../controller/server/server.js';
import { keys } from '../../controller/store/keys.js';
import { RolloutStore } from '../../controller/store/rollouts.js';
import { type AgentHandle, type Cluster, startCluster } from '../harness/cluster.js';
import { bundleOf, type Operator } from '../harness/operator.js';
import { until } from '../harness/until.js';

const nodes = ['worker001', 'worker002', 'worker003'];
let cluster: Cluster;
let controllers: Controller[];
let operator: Operator;
const agents = new Map<string, AgentHandle>();

const bundles = (text: string, broken: readonly string[] = []) =>
  nodes.map((node) =>
    bundleOf(node, { 'flake.nix': broken.includes(node) ? 'syntax error' : `${text} ${node}` }),
  );

/** Plans bundles for all nodes and returns the plan. */
async function plan(text: string, options: object = {}, broken: readonly string[] = []): Promise<Rollout> {
  return operator.plan(
    bundles(text, broken).map((bundle) => ({ bundle, kind: 'cluster', services: ['backends'] })),
    { settleMs: 100, ...options },
  );
}

const ended = (id: string) => operator.ended(id, 30_000);
const stateOf = (rollout: Rollout) =>
  Object.fromEntries(rollout.nodes.map(({ name, state }) => [name, state]));
const hold = (node: string, what: string) => writeFileSync(join(agents.get(node)?.recordDir ?? '', what), '');
const release = (node: string, what: string) => rmSync(join(agents.get(node)?.recordDir ?? '', what));

beforeAll(async () => {
  cluster = await startCluster(1);
  controllers = [await cluster.controller('etcd001'), await cluster.controller('etcd002')];
  operator = await cluster.operator(controllers[0]?.port ?? 0);
  for (const node of nodes)
    agents.set(
      node,
      await cluster.agent(
        node,
        controllers.map(({ port }) => port),
      ),
    );
  await until(
    'agents',
    20_000,
    async () => (await operator.status()).nodes.filter((node) => node.connected).length === 3,
  );
  const first = await plan('one');
  await operator.start(first.id);
  expect((await ended(first.id)).state).toBe('succeeded');
});

afterAll(async () => {
  await cluster?.stop();
});

describe('a rollout', () => {
  it('has a canary, then one node of the group after the other', async () => {
    const planned = await plan('two');
    expect(planned.nodes.map(({ wave }) => wave)).toEqual([0, 1, 1]);
    expect(planned.nodes.every(({ changes }) => changes.files.length === 1)).toBe(true);
    await operator.start(planned.id);
    const done = await ended(planned.id);
    expect([done.state, stateOf(done)]).toEqual([
      'succeeded',
      { worker001: 'moved', worker002: 'moved', worker003: 'moved' },
    ]);
    const times = done.nodes.map(({ orderedMs, endedMs }) => [orderedMs, endedMs]);
    for (const [at, [ordered = 0]] of times.entries()) {
      if (at > 0) expect(ordered).toBeGreaterThanOrEqual(times[at - 1]?.[1] ?? 0);
    }
  });

  it('is empty when nothing changes, and leaves no trace', async () => {
    const planned = await plan('two');
    expect(planned.nodes).toEqual([]);
    expect(await new RolloutStore(cluster.etcd.store).get(planned.id)).toBeUndefined();
  });

  it('is not even planned when a node rejects its configuration', async () => {
    const before = await cluster.etcd.store.get(keys.desired('worker001'));
    await expect(plan('broken', {}, ['worker002'])).rejects.toMatchObject({
      details: expect.stringContaining('worker002'),
    });
    expect((await cluster.etcd.store.get(keys.desired('worker001')))?.modRevision).toBe(before?.modRevision);
  });

  it('is refused when the world moved after the plan', async () => {
    const [older, newer] = [await plan('three'), await plan('four')];
    await operator.start(newer.id);
    expect((await ended(newer.id)).state).toBe('succeeded');
    await expect(operator.start(older.id)).rejects.toMatchObject({
      details: expect.stringMatching(/changed/),
    });
  });

  it('holds the lock: a second one is told who and why', async () => {
    const [first, second] = [await plan('five'), await plan('six')];
    hold('worker001', 'hold-activate');
    await operator.start(first.id);
    await expect(operator.start(second.id)).rejects.toMatchObject({
      details: expect.stringMatching(/alice@here.*testing/),
    });
    // A repeated start of the one that runs is no error: the first answer may have been lost.
    await operator.start(first.id);
    release('worker001', 'hold-activate');
    expect((await ended(first.id)).state).toBe('succeeded');
    expect(await cluster.etcd.store.get(keys.lock)).toBeUndefined();
  });

  it('goes back when a node fails: the nodes that moved run what they ran', async () => {
    const before = await operator.running();
    const planned = await plan('seven');
    const last = planned.nodes.at(-1)?.name ?? '';
    writeFileSync(join(agents.get(last)?.recordDir ?? '', 'activate-fails'), '4');
    await operator.start(planned.id);
    const done = await ended(planned.id);
    expect(done.state).toBe('undone');
    expect(done.cause).toMatchObject({ code: 'apply.rolled-back', node: last });
    expect(await operator.running()).toEqual(before);
  });

  it('keeps the moved nodes with undo off, and can be undone later', async () => {
    const before = await operator.running();
    const planned = await plan('eight', { undo: false, pause: 'manual' });
    await operator.start(planned.id);
    await until('the pause', 20_000, async () => (await operator.rollout(planned.id)).state === 'paused');
    await operator.steer(planned.id, 'abort');
    const done = await ended(planned.id);
    expect([done.state, stateOf(done)]).toEqual([
      'aborted',
      { worker001: 'moved', worker002: 'skipped', worker003: 'skipped' },
    ]);
    const back = await operator.planUndo(planned.id);
    expect(back.nodes.map(({ name }) => name)).toEqual(['worker001']);
    await operator.start(back.id);
    expect((await ended(back.id)).state).toBe('succeeded');
    expect(await operator.running()).toEqual(before);
  });

  it('goes on from a pause when somebody resumes it', async () => {
    const planned = await plan('nine', { pause: 'manual' });
    await operator.start(planned.id);
    await until('the pause', 20_000, async () => (await operator.rollout(planned.id)).state === 'paused');
    await operator.steer(planned.id, 'resume');
    expect((await ended(planned.id)).state).toBe('succeeded');
  });

  it('goes on with another leader when the leading controller stops', async () => {
    const planned = await plan('ten');
    hold('worker002', 'hold-activate');
    await operator.start(planned.id);
    await until(
      'worker002',
      20_000,
      async () => stateOf(await operator.rollout(planned.id)).worker002 === 'ordered',
    );
    const { leader } = await operator.status();
    const at = leader === 'etcd001' ? 0 : 1;
    await controllers[at]?.stop();
    operator = await cluster.operator(controllers[1 - at]?.port ?? 0);
    release('worker002', 'hold-activate');
    const done = await ended(planned.id);
    expect(done.state).toBe('succeeded');
    expect((await operator.status()).leader).not.toBe(leader);
  });
});
