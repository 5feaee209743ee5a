import { describe, expect, it } from 'vitest';
import { Phase } from '../../proto/gen/nixinfra/v1/agent.js';
import { eventsBetween, type RolloutEvent, type RolloutView } from './events.js';
import type { Rollout, RolloutNode } from './rollout.js';
import { sampleNode, sampleRollout } from './testing/sample-rollout.js';

const first = (facts: Partial<RolloutNode> = {}) => sampleNode('one', { wave: 1, ...facts });
const second = (facts: Partial<RolloutNode> = {}) => sampleNode('two', { wave: 2, ...facts });
const order = (node: string, nth = 1) => `r-20260102-030405-ab12/${node}/${nth}`;
const cause = { code: 'apply.rejected', node: 'two', message: 'no such option', log: ['line'] };

function view(
  nodes: RolloutNode[],
  facts: Partial<Rollout> = {},
  more: Partial<RolloutView> = {},
): RolloutView {
  return { rollout: sampleRollout(nodes, facts), nodes: [], leader: 'etcd001', ...more };
}

const brief = (events: readonly RolloutEvent[]) =>
  events.map((event) => ('node' in event ? `${event.type} ${event.node}` : event.type));

const planned = view([first(), second()]);
const moving = { state: 'running', startedMs: 2_000 } as const;
const ordered = { state: 'ordered', orderedMs: 2_000, order: order('one') } as const;
const moved = { ...ordered, state: 'moved', outcome: 'applied', endedMs: 5_000 } as const;

const table: [string, RolloutView | undefined, RolloutView, string[]][] = [
  ['nothing', planned, planned, []],
  [
    'the start',
    planned,
    view([first(ordered), second()], { ...moving, wave: 1 }),
    ['wave-started', 'node-ordered one'],
  ],
  [
    'a node and the next wave at once',
    view([first(ordered), second()], { ...moving, wave: 1 }),
    view([first(moved), second({ ...ordered, order: order('two') })], { ...moving, wave: 2 }),
    ['node-moved one', 'wave-started', 'node-ordered two'],
  ],
  [
    'everything, for whoever comes late',
    undefined,
    view([first(moved), second(ordered)], { ...moving, wave: 2 }),
    ['watching', 'wave-started', 'node-ordered one', 'node-moved one', 'wave-started', 'node-ordered two'],
  ],
  [
    'a pause before the next wave',
    view([first(ordered), second()], { ...moving, wave: 1 }),
    view([first(moved), second()], { ...moving, state: 'paused', wave: 2 }),
    ['node-moved one', 'paused'],
  ],
  [
    'the end of a pause',
    view([first(moved), second()], { ...moving, state: 'paused', wave: 2 }),
    view([first(moved), second()], { ...moving, wave: 2 }),
    ['resumed', 'wave-started'],
  ],
  [
    'a failure',
    view([first(moved), second({ ...ordered, order: order('two') })], { ...moving, wave: 2 }),
    view([first(moved), second({ ...ordered, order: order('two'), state: 'failed', outcome: 'rejected' })], {
      ...moving,
      state: 'undoing',
      wave: 2,
      cause,
    }),
    ['node-failed two', 'stopped'],
  ],
  [
    'the whole way back, seen late',
    view([first(moved), second({ ...ordered, order: order('two') })], { ...moving, wave: 2 }),
    view(
      [
        first({ ...moved, state: 'undone', order: order('one', 2) }),
        second({ ...moved, state: 'undone', order: order('two', 2), outcome: 'unchanged' }),
      ],
      { ...moving, state: 'undone', wave: 2, cause, endedMs: 9_000 },
    ),
    [
      'node-failed two',
      'stopped',
      'node-undoing one',
      'node-undone one',
      'node-undoing two',
      'node-undone two',
      'ended',
    ],
  ],
  [
    'nodes that are left out',
    view([first(ordered), second()], { ...moving, wave: 1 }),
    view([first({ ...ordered, state: 'failed', outcome: 'rejected' }), second({ state: 'skipped' })], {
      ...moving,
      state: 'undoing',
      wave: 1,
      cause: { ...cause, node: 'one' },
    }),
    ['node-failed one', 'stopped', 'node-skipped two'],
  ],
  [
    'a node that nobody can bring back',
    view([first(moved), second()], { ...moving, state: 'undoing', wave: 1, cause }),
    view([first({ ...moved, state: 'undo-failed' }), second()], {
      ...moving,
      state: 'undo-failed',
      wave: 1,
      cause,
    }),
    ['node-undo-failed one', 'ended'],
  ],
  [
    'the end',
    view([first(moved), second({ ...ordered, order: order('two') })], { ...moving, wave: 2 }),
    view([first(moved), second(moved)], { ...moving, state: 'succeeded', wave: 2, endedMs: 9_000 }),
    ['node-moved two', 'ended'],
  ],
  ['a new leader', planned, { ...planned, leader: 'etcd002' }, ['leader-changed']],
  ['no leader for a while', planned, { ...planned, leader: '' }, []],
  [
    'an agent that goes away',
    view([first(ordered)], moving),
    view([first({ ...ordered, lostMs: 3_000 })], moving),
    ['node-away one'],
  ],
  [
    'an agent that comes back',
    view([first({ ...ordered, lostMs: 3_000 })], moving),
    view([first(ordered)], moving),
    ['node-back one'],
  ],
];

describe('events of a rollout', () => {
  it.each(table)('tell %s', (_what, before, after, expected) => {
    expect(brief(eventsBetween(before, after))).toEqual(expected);
  });

  it('tell what a node says of the order it holds, once', () => {
    const says = (phase: Phase, held = order('one')): RolloutView =>
      view(
        [first(ordered)],
        { ...moving, wave: 1 },
        {
          nodes: [
            { node: 'one', connected: true, progress: { revision: '', phase, message: 'm', order: held } },
          ],
        },
      );
    const building = says(Phase.PHASE_BUILDING);
    expect(eventsBetween(planned, building).at(-1)).toEqual({
      type: 'node-progress',
      node: 'one',
      phase: 'building',
      message: 'm',
    });
    expect(eventsBetween(building, building)).toEqual([]);
    expect(brief(eventsBetween(building, says(Phase.PHASE_PROVING)))).toEqual(['node-progress one']);
    expect(eventsBetween(building, says(Phase.PHASE_PROVING, 'another order'))).toEqual([]);
  });

  it.each(['undo-ordered', 'undone'] as const)('tell how a node failed that is %s by now', (state) => {
    const rolledBack = { ...cause, code: 'apply.rolled-back' };
    const outcome = state === 'undone' ? ('unchanged' as const) : ('rolled-back' as const);
    const node = second({ ...ordered, state, order: order('two', 2), outcome });
    const events = eventsBetween(
      planned,
      view([first(moved), node], { ...moving, state: 'undoing', cause: rolledBack }),
    );
    expect(events).toContainEqual({
      type: 'node-failed',
      node: 'two',
      outcome: 'rolled-back',
      message: 'no such option',
      log: ['line'],
    });
  });

  it('carry what happened', () => {
    const after = view(
      [
        first({ ...moved, outcome: 'needs-reboot' }),
        second({
          ...ordered,
          state: 'failed',
          outcome: 'rolled-back',
          message: 'x',
          log: ['l'],
          endedMs: 4_500,
        }),
      ],
      { ...moving, state: 'failed', wave: 2, endedMs: 9_000, cause },
    );
    const events = eventsBetween(planned, after);
    expect(events).toContainEqual({
      type: 'node-moved',
      node: 'one',
      revision: 'a'.repeat(64),
      outcome: 'needs-reboot',
      elapsedMs: 3_000,
    });
    expect(events).toContainEqual({
      type: 'node-failed',
      node: 'two',
      outcome: 'rolled-back',
      message: 'x',
      log: ['l'],
      elapsedMs: 2_500,
    });
    expect(events).toContainEqual({ type: 'wave-started', wave: 2, waves: 2, nodes: ['two'] });
    expect(events.at(-1)).toEqual({
      type: 'ended',
      rollout: 'r-20260102-030405-ab12',
      state: 'failed',
      elapsedMs: 7_000,
      counts: { moved: 1, failed: 1 },
    });
  });
});
