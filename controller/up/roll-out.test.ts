import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../shared/error-catalogue.js';
import { Problem } from '../../shared/errors.js';
import type { Operator } from '../operator-client/operator-client.js';
import type { RolloutEvent, RolloutView } from '../rollout/events.js';
import type { Rollout, RolloutNode } from '../rollout/rollout.js';
import { noChanges } from '../rollout/rollout.js';
import { sampleNode, sampleRollout } from '../rollout/testing/sample-rollout.js';
import { type RollOutOptions, rollOut, sameChanges } from './roll-out.js';

const node = (facts: Partial<RolloutNode> = {}) => sampleNode('one', facts);
const plan = (id: string, nodes: RolloutNode[] = [node()]) => sampleRollout(nodes, { id });
const otherwise = [node({ changes: { ...noChanges, restart: ['a.service'] } })];
const running = (rollout: Rollout): Rollout => ({ ...rollout, state: 'running', startedMs: 1_000 });
const moved = (rollout: Rollout): Rollout => ({
  ...rollout,
  state: 'succeeded',
  startedMs: 1_000,
  endedMs: 2_000,
  nodes: rollout.nodes.map((each) => ({ ...each, state: 'moved', outcome: 'applied' })),
});
const view = (rollout: Rollout): RolloutView => ({ rollout, nodes: [], leader: 'etcd001' });

interface Script {
  /** The plans that are made, in turn; the last one again and again. */
  plans: Rollout[];
  /** What StartRollout refuses with, in turn; then it starts. */
  refusals?: ErrorCode[];
  /** What holds the cluster, at each look; then nothing. */
  holders?: (Rollout | undefined)[];
  end?: (started: Rollout) => Rollout;
}

/** A cluster that follows a script: only what a rollout needs of it. */
function cluster({ plans, refusals = [], holders = [], end = moved }: Script) {
  const started: string[] = [];
  let made = 0;
  const fake: Partial<Operator> = {
    startRollout: async (id) => {
      const code = refusals.shift();
      if (code) throw new Problem(code, 'refused');
      started.push(id);
    },
    watchRollout: async function* (id) {
      if (id === '') {
        const holder = holders.shift();
        if (!holder) throw new Problem('rollout.unknown', 'none');
        yield view(holder);
        return;
      }
      const rollout = plans.find((each) => each.id === id);
      if (!rollout) {
        yield view({ ...plan(id), state: 'undone' });
        return;
      }
      yield view(running(rollout));
      yield view(end(rollout));
    },
  };
  const makePlan = async () => plans[Math.min(made++, plans.length - 1)] as Rollout;
  return { operator: fake as Operator, started, makePlan, made: () => made };
}

async function roll(script: Script, options: Partial<RollOutOptions> = {}) {
  const { operator, started, makePlan, made } = cluster(script);
  const events: RolloutEvent[] = [];
  const result = await rollOut(operator, {
    plan: makePlan,
    listener: (event) => events.push(event),
    signal: new AbortController().signal,
    lockWaitMs: 0,
    ...options,
  }).then(
    () => 'ended well',
    (error: unknown) => (error as Problem).code,
  );
  const types = events.map(({ type }) => type).filter((type) => type !== 'view');
  return { result, started, types, events, made: made() };
}

describe('a rollout from the plan to its end', () => {
  it('is shown, started and watched', async () => {
    const { result, started, types } = await roll({ plans: [plan('r-1')] });
    expect(result).toBe('ended well');
    expect(started).toEqual(['r-1']);
    expect(types).toEqual([
      'planned',
      'started',
      'watching',
      'wave-started',
      'node-ordered',
      'node-moved',
      'ended',
    ]);
  });

  it('is nothing where nothing changes', async () => {
    const { result, started, types } = await roll({ plans: [plan('r-1', [])] });
    expect([result, started, types]).toEqual(['ended well', [], ['planned']]);
  });

  it('starts only what a person agrees to', async () => {
    const no = await roll({ plans: [plan('r-1')] }, { confirm: async () => false });
    expect([no.result, no.started]).toEqual(['interrupted', []]);
    const yes = await roll({ plans: [plan('r-1')] }, { confirm: async () => true });
    expect([yes.result, yes.started]).toEqual(['ended well', ['r-1']]);
  });

  it('ends with the code of what went wrong', async () => {
    const cause = { code: 'apply.rolled-back', node: 'one', message: 'm', log: [] };
    const end = (rollout: Rollout): Rollout => ({ ...moved(rollout), state: 'undone', cause });
    expect((await roll({ plans: [plan('r-1')], end })).result).toBe('apply.rolled-back');
  });

  it('is not watched when detached', async () => {
    const { types } = await roll({ plans: [plan('r-1')] }, { detach: true });
    expect(types).toEqual(['planned', 'started']);
  });
});

describe('a world that moved after the plan', () => {
  const stale: Script = { plans: [plan('r-1'), plan('r-2')], refusals: ['rollout.stale'] };
  const differs = { ...stale, plans: [plan('r-1'), plan('r-2', otherwise)] };

  it('unattended: the new plan starts when it does the same', async () => {
    const { result, started, types } = await roll({ ...stale, refusals: ['rollout.stale'] });
    expect([result, started]).toEqual(['ended well', ['r-2']]);
    expect(types.slice(0, 3)).toEqual(['planned', 'stale', 'started']);
  });

  it('unattended: another plan is shown and not started', async () => {
    const { result, started, types } = await roll({ ...differs, refusals: ['rollout.stale'] });
    expect([result, started, types]).toEqual(['rollout.stale', [], ['planned', 'stale', 'planned']]);
  });

  it('`up`: another plan starts, for nobody decided about the first', async () => {
    const { started } = await roll({ ...differs, refusals: ['rollout.stale'] }, { anyPlan: true });
    expect(started).toEqual(['r-2']);
  });

  it('a person is asked about another plan, and not twice about the same', async () => {
    const asked: string[] = [];
    const confirm = async ({ id }: Rollout) => asked.push(id) > 0;
    await roll({ ...differs, refusals: ['rollout.stale'] }, { confirm });
    expect(asked).toEqual(['r-1', 'r-2']);
    asked.length = 0;
    const { started } = await roll({ ...stale, refusals: ['rollout.stale'] }, { confirm });
    expect([asked, started]).toEqual([['r-1'], ['r-2']]);
  });

  it('gives up on a world that never rests', async () => {
    const refusals = Array.from({ length: 99 }, (): ErrorCode => 'rollout.stale');
    const { result, made } = await roll({ plans: [plan('r-1')], refusals });
    expect(result).toBe('rollout.stale');
    expect(made).toBeLessThan(10);
  });
});

describe('a cluster that another rollout holds', () => {
  const holder = { ...running(plan('r-0')), who: 'ops@desk', why: 'patches' };

  it('is told, with who, since when and why, before anything is prepared', async () => {
    const { operator, makePlan, made } = cluster({ plans: [plan('r-1')], holders: [holder] });
    const attempt = rollOut(operator, {
      plan: makePlan,
      listener: () => undefined,
      signal: new AbortController().signal,
      lockWaitMs: 0,
    });
    await expect(attempt).rejects.toMatchObject({
      code: 'rollout.locked',
      exitCode: 6,
      message: 'ops@desk holds the cluster since 1970-01-01T00:00:01.000Z (patches)',
      where: 'rollout r-0',
    });
    expect(made()).toBe(0);
  });

  it('is waited for', async () => {
    const { result, started, events } = await roll(
      { plans: [plan('r-1')], holders: [holder] },
      { lockWaitMs: 60_000 },
    );
    expect([result, started]).toEqual(['ended well', ['r-1']]);
    expect(events[0]).toEqual({
      type: 'lock-waiting',
      rollout: 'r-0',
      who: 'ops@desk',
      why: 'patches',
      sinceMs: 1_000,
    });
  });

  it('is told also when the other one came between plan and start', async () => {
    const script: Script = {
      plans: [plan('r-1')],
      refusals: ['rollout.locked'],
      holders: [undefined, holder],
    };
    expect((await roll(script)).result).toBe('rollout.locked');
    const waiting = { ...script, refusals: ['rollout.locked' as const], holders: [undefined, holder] };
    const { result, started } = await roll(waiting, { lockWaitMs: 60_000 });
    expect([result, started]).toEqual(['ended well', ['r-1']]);
  });

  it('is waited for no longer than was said', async () => {
    const holders = Array.from({ length: 10_000 }, () => holder);
    expect((await roll({ plans: [plan('r-1')], holders }, { lockWaitMs: 30 })).result).toBe('rollout.locked');
  });
});

describe('plans', () => {
  it.each([
    ['the same under another id', plan('r-2'), true],
    ['other changes', plan('r-2', otherwise), false],
    ['another revision', plan('r-2', [node({ to: { revision: 'b', system: '' } })]), false],
    ['one node more', plan('r-2', [node(), sampleNode('two')]), false],
  ])('%s', (_what, other, same) => expect(sameChanges(plan('r-1'), other)).toBe(same));
});
