import { describe, expect, it } from 'vitest';
import { rolloutDefaults as defaults } from './defaults.js';
import { advance } from './engine.js';
import type { Rollout } from './rollout.js';
import { changing, ended, node, rollout, view } from './testing/fixtures.js';
import { stepUndo } from './undo.js';

const states = ({ nodes }: Rollout) => nodes.map(({ state }) => state);
const undoing = { state: 'undoing', undoSinceMs: 5_000 } as const;
const up = view({ a: {}, b: {}, c: {} });

describe('the way back', () => {
  it('begins with the failed, then takes the last moved first, within the limits', () => {
    const plan = rollout(
      [
        node('a', 'moved', { endedMs: 1 }),
        node('b', 'moved', { endedMs: 2 }),
        node('c', 'failed', { groups: ['frontends'] }),
      ],
      undoing,
    );
    const { orders } = stepUndo(plan, up, 6_000);
    expect(orders.map(({ order, revision }) => `${order} ${revision}`)).toEqual([
      'r-1/c/2 old',
      'r-1/b/2 old',
    ]);
  });

  it('waits for the minimum, but not with a node that failed', () => {
    const changes = changing(['backends/api', 'restart']);
    const facts = { ...undoing, minimums: { 'backends/api': 1 } };
    const seen = view({ a: {}, b: {} }, { 'backends/api': ['a'] });
    const moved = rollout([node('a', 'moved', { changes })], facts);
    expect(stepUndo(moved, seen, 6_000)).toEqual({ rollout: moved, orders: [] });
    expect(stepUndo(rollout([node('a', 'failed', { changes })], facts), seen, 6_000).orders).toHaveLength(1);
  });

  it('only ends the failed ones when the moved ones shall stay', () => {
    const nodes = [node('a', 'moved'), node('b', 'failed')];
    const step = stepUndo(rollout(nodes, undoing, { undo: false }), up, 6_000);
    expect(states(step.rollout)).toEqual(['moved', 'undo-ordered']);
    expect(advance(step.rollout, view({ a: {}, b: ended('r-1/b/2') }), 7_000).rollout.state).toBe('failed');
  });

  it('does not wait a second time for a node that is lost', () => {
    const lost = node('a', 'failed', { outcome: 'unreachable', lostMs: 1_000 });
    const { rollout: ordered, orders } = stepUndo(
      rollout([lost], undoing, { unreachableMs: 3_000 }),
      up,
      6_000,
    );
    expect(orders).toHaveLength(1);
    const over = advance(ordered, view({ a: { connected: false } }), 6_001).rollout;
    expect([over.state, states(over)]).toEqual(['undo-failed', ['undo-failed']]);
  });

  it('says so when it is not known what a node ran', () => {
    const plan = rollout([node('a', 'moved', { from: { revision: '', system: '' } })], undoing);
    const first = stepUndo(plan, up, 6_000);
    expect([first.orders, states(first.rollout)]).toEqual([[], ['undo-failed']]);
    expect(stepUndo(first.rollout, up, 6_000).rollout.state).toBe('undo-failed');
  });

  it('ends when its time is over, wherever the nodes are', () => {
    const nodes = [node('a', 'ordered'), node('b', 'undo-ordered'), node('c', 'moved'), node('d', 'skipped')];
    const { rollout: over, orders } = stepUndo(rollout(nodes, undoing), up, 5_000 + defaults.undoMs);
    expect(over.state).toBe('undo-failed');
    expect(states(over)).toEqual(['undo-failed', 'undo-failed', 'undo-failed', 'skipped']);
    // What is open would else move the node after the end.
    expect(orders.map(({ order, revision }) => `${order} ${revision}`)).toEqual([
      'r-1/a/2 old',
      'r-1/c/2 old',
    ]);
  });

  it('takes the order of a failed node away when it is not known what it ran; one that went back is where it was', () => {
    const from = { revision: '', system: 's' };
    const nodes = [
      node('a', 'failed', { from, outcome: 'rolled-back' }),
      node('b', 'failed', { from, outcome: 'unreachable' }),
    ];
    const { rollout: step, orders } = stepUndo(rollout(nodes, undoing), up, 6_000);
    expect(states(step)).toEqual(['undone', 'undo-failed']);
    expect(orders.map(({ node: name, revision }) => [name, revision])).toEqual([
      ['a', undefined],
      ['b', undefined],
    ]);
  });
});
