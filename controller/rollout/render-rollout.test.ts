import { describe, expect, it } from 'vitest';
import { Phase } from '../../proto/gen/nixinfra/v1/agent.js';
import { eventsBetween, type RolloutEvent, type RolloutView } from './events.js';
import { linesAbove, rolloutFrame, rolloutLines } from './render-rollout.js';
import { sampleNode, sampleRollout } from './testing/sample-rollout.js';

const id = 'r-20260102-030405-ab12';
const running: RolloutView = {
  rollout: sampleRollout(
    [
      sampleNode('one', { state: 'moved', outcome: 'applied', orderedMs: 2_000, endedMs: 10_100 }),
      sampleNode('two', { wave: 1, state: 'ordered', order: `${id}/two/1`, orderedMs: 10_000 }),
      sampleNode('three', { wave: 1 }),
    ],
    { state: 'running', startedMs: 2_000, wave: 1 },
  ),
  nodes: [
    {
      node: 'two',
      connected: true,
      progress: {
        revision: '',
        phase: Phase.PHASE_ACTIVATING,
        message: 'a\nb\u001b[2Jc',
        order: `${id}/two/1`,
      },
    },
  ],
  leader: 'etcd001',
};
const size = { columns: 120, rows: 40 };

describe('frame of a rollout', () => {
  it('shows who leads, how long, and a line per node', () => {
    expect(rolloutFrame(running, 12_000, size)).toEqual([
      `rollout ${id}  running  led by etcd001  10.0s`,
      '  1 moved, 1 moving, 1 waiting',
      '  wave 1  one            moved                                           8.1s',
      '  wave 2  two            moving: activating: a b [2Jc                    2.0s',
      '  wave 2  three          waiting                                             ',
    ]);
  });

  it('is never wider or higher than the terminal, and then shows what moves', () => {
    const small = rolloutFrame(running, 12_000, { columns: 30, rows: 5 });
    expect(small).toHaveLength(4);
    expect(small[2]).toMatch(/two .*…$/);
    expect(small[3]).toBe('  and 2 more nodes');
    for (const line of small) expect(line.length).toBeLessThan(30);
  });

  it('stands still after the end', () => {
    const rollout = { ...running.rollout, state: 'undone' as const, endedMs: 20_000 };
    const frame = rolloutFrame({ ...running, rollout, leader: '' }, 99_000, size);
    expect(frame[0]).toContain('undone  nobody leads  18.0s');
  });

  it.each([
    [0, 'paused until `rollout resume`'],
    [15_000, 'paused, 3.0s left'],
  ])('counts a pause down (%d)', (resumeMs, text) => {
    const rollout = { ...running.rollout, state: 'paused' as const, resumeMs };
    expect(rolloutFrame({ ...running, rollout }, 12_000, size)[0]).toContain(text);
  });
});

describe('lines of a rollout', () => {
  const lines = (verbose: boolean) =>
    eventsBetween(undefined, running).flatMap((event) => rolloutLines(event, { verbose }) ?? []);

  it('tell what ended, and with `verbose` what goes on', () => {
    expect(lines(false)).toEqual([
      `rollout ${id} of dev@laptop: a new greeting; running, nodes: 3`,
      '== wave 1 of 2 (1)',
      '   one            applied aaaaaaaaaaaa                        8.1s',
      '== wave 2 of 2 (2)',
    ]);
    expect(lines(true)).toContain('   two            activating: a b [2Jc');
  });

  const shared: [RolloutEvent, string][] = [
    [
      {
        type: 'stopped',
        cause: { code: 'x', node: 'two', message: 'bad\nline', log: [] },
        undo: true,
      },
      '== stopped: two: bad line\n   nodes that were moved go back',
    ],
    [
      { type: 'ended', rollout: 'r-1', state: 'undone', elapsedMs: 5_000, counts: { undone: 2 } },
      'rollout r-1 undone after 5.0s: 2 back',
    ],
    [
      { type: 'lock-waiting', rollout: 'r-1', who: 'a@b', why: 'x', sinceMs: 0 },
      'waiting for rollout r-1 of a@b (x), which runs since 1970-01-01T00:00:00.000Z',
    ],
    [
      {
        type: 'node-failed',
        node: 'n',
        outcome: 'rejected',
        message: 'm',
        log: [],
        elapsedMs: 1_000,
      },
      '   n              FAILED: rejected: m                         1.0s',
    ],
  ];
  it.each(shared)('%j', (event, text) => {
    expect(rolloutLines(event, { verbose: false })).toBe(text);
    expect(linesAbove(event)).toBe(text);
  });

  it('leaves to the frame what it shows', () => {
    expect(linesAbove({ type: 'node-progress', node: 'n', phase: 'building', message: '' })).toBeUndefined();
    expect(linesAbove({ type: 'wave-started', wave: 1, waves: 1, nodes: [] })).toBeUndefined();
  });
});
