import { describe, expect, it } from 'vitest';
import { advance } from './engine.js';
import type { Outcome, Rollout } from './rollout.js';
import { ended, node, rollout, view } from './testing/fixtures.js';
import type { View } from './view.js';

const states = ({ nodes }: Rollout) => nodes.map(({ state }) => state);

/** Until it changes nothing. */
function settle(start: Rollout, seen: View, nowMs: number) {
  let current = start;
  const orders: string[] = [];
  for (let step = 0; step < 20; step++) {
    const next = advance(current, seen, nowMs);
    if (next.rollout === current) return { rollout: current, orders };
    orders.push(...next.orders.map(({ order, revision }) => `${order} ${revision}`));
    current = next.rollout;
  }
  throw new Error('it never comes to rest');
}

describe('a running rollout', () => {
  it('orders the canary, then as many of the next wave as may be away', () => {
    const plan = rollout([node('a'), node('b', 'waiting', { wave: 1 }), node('c', 'waiting', { wave: 1 })]);
    const first = settle(plan, view({ a: {}, b: {}, c: {} }), 2_000);
    expect(first.orders).toEqual(['r-1/a/1 new']);
    const second = settle(first.rollout, view({ a: ended('r-1/a/1'), b: {}, c: {} }), 3_000);
    expect(second.orders).toEqual(['r-1/b/1 new']);
    expect(states(second.rollout)).toEqual(['moved', 'ordered', 'waiting']);
  });

  it.each<[Outcome, string, string]>([
    ['applied', 'succeeded', 'moved'],
    ['unchanged', 'succeeded', 'moved'],
    ['needs-reboot', 'succeeded', 'moved'],
    ['rejected', 'undoing', 'undo-ordered'],
    ['rolled-back', 'undoing', 'undo-ordered'],
    ['unhealthy', 'undoing', 'undo-ordered'],
  ])('%s makes it %s', (outcome, state, nodeState) => {
    const after = settle(rollout([node('a', 'ordered')]), view({ a: ended('r-1/a/1', outcome) }), 2_000);
    expect([after.rollout.state, states(after.rollout)]).toEqual([state, [nodeState]]);
    if (state === 'undoing')
      expect(after.rollout.cause).toMatchObject({ code: `apply.${outcome}`, node: 'a', log: ['line'] });
  });

  it('ignores the result of another order', () => {
    const plan = rollout([node('a', 'ordered')]);
    expect(settle(plan, view({ a: ended('r-0/a/1') }), 2_000).rollout).toBe(plan);
  });

  it('keeps a forced node on a system that is not well', () => {
    const plan = rollout([node('a', 'ordered')], {}, { force: true });
    expect(settle(plan, view({ a: ended('r-1/a/1', 'unhealthy') }), 2_000).rollout.state).toBe('succeeded');
  });

  it('counts a node as lost after its time, and forgets the time when it returns', () => {
    const plan = rollout([node('a', 'ordered')], {}, { unreachableMs: 5_000 });
    const gone = view({ a: { connected: false } });
    const seen = settle(plan, gone, 10_000).rollout;
    expect(seen.nodes[0]?.lostMs).toBe(10_000);
    expect(settle(seen, view({ a: {} }), 12_000).rollout.nodes[0]?.lostMs).toBe(0);
    expect(settle(seen, gone, 14_999).rollout).toBe(seen);
    expect(settle(seen, gone, 15_000).rollout.cause?.code).toBe('apply.unreachable');
  });

  it('waits before the next wave, for a time or for somebody', () => {
    const nodes = [node('a', 'moved'), node('b', 'waiting', { wave: 1 })];
    const timed = settle(rollout(nodes, {}, { pause: 5_000 }), view({ b: {} }), 2_000).rollout;
    expect([timed.state, timed.resumeMs, timed.wave]).toEqual(['paused', 7_000, 1]);
    expect(settle(timed, view({ b: {} }), 6_999).rollout).toBe(timed);
    expect(settle(timed, view({ b: {} }), 7_000).orders).toEqual(['r-1/b/1 new']);
    const manual = settle(rollout(nodes, {}, { pause: 'manual' }), view({ b: {} }), 2_000).rollout;
    expect(settle(manual, view({ b: {} }), 60_000).rollout).toBe(manual);
    const request = { action: 'resume', noUndo: false, who: 'me' } as const;
    const resumed = settle({ ...manual, request }, view({ b: {} }), 60_000);
    expect([resumed.rollout.request, resumed.orders]).toEqual([undefined, ['r-1/b/1 new']]);
  });

  it('stops at its deadline and says what it waited for', () => {
    const late = 1_000 + 10_000;
    const options = { deadlineMs: 10_000 };
    const busy = settle(rollout([node('a', 'ordered')], {}, options), view({ a: {} }), late).rollout;
    expect([busy.state, busy.cause?.code, busy.cause?.node]).toEqual(['undoing', 'rollout.timeout', 'a']);
    const scarce = rollout(
      [
        node('a', 'waiting', {
          changes: {
            ...node('a').changes,
            apps: [{ id: 'backends/api', action: 'restart', fromVersion: '', toVersion: '' }],
          },
        }),
      ],
      { minimums: { 'backends/api': 1 } },
      options,
    );
    const starved = settle(scarce, view({ a: {} }, { 'backends/api': ['a'] }), late).rollout;
    expect([starved.state, starved.cause?.code]).toEqual(['undone', 'rollout.capacity']);
  });

  it('ends although a clock was set back by years', () => {
    const from = { startedMs: 100_000_000, state: 'running' } as const;
    let current = rollout([node('a', 'ordered')], from, { deadlineMs: 10_000 });
    current = settle(current, view({ a: {} }), 5_000).rollout;
    expect(settle(current, view({ a: {} }), 15_000).rollout.cause?.code).toBe('rollout.timeout');
  });
});

describe('an abort', () => {
  const request = { action: 'abort', noUndo: true, who: 'me' } as const;

  it('lets those in flight end and keeps what was moved when asked to', () => {
    const nodes = [node('a', 'moved'), node('b', 'ordered'), node('c')];
    const stopped = settle(rollout(nodes, { request }), view({ a: {}, b: {}, c: {} }), 2_000).rollout;
    expect([stopped.state, states(stopped)]).toEqual(['undoing', ['moved', 'ordered', 'skipped']]);
    const over = settle(stopped, view({ a: {}, b: ended('r-1/b/1'), c: {} }), 3_000).rollout;
    expect([over.state, states(over), over.cause?.code]).toEqual([
      'aborted',
      ['moved', 'moved', 'skipped'],
      'rollout.aborted',
    ]);
  });

  it('brings the moved ones back otherwise', () => {
    const plan = rollout([node('a', 'moved')], { request: { ...request, noUndo: false } });
    const back = settle(plan, view({ a: {} }), 2_000);
    expect(back.orders).toEqual(['r-1/a/2 old']);
    expect(settle(back.rollout, view({ a: ended('r-1/a/2') }), 3_000).rollout.state).toBe('undone');
  });
});
