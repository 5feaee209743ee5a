import { describe, expect, it } from 'vitest';
import { sampleNode, sampleRollout } from '../rollout/testing/sample-rollout.js';
import { rolloutDetails, rolloutTable } from './rollouts.js';

const ended = sampleRollout(
  [
    sampleNode('one', { state: 'undone', orderedMs: 2_000, endedMs: 4_000 }),
    sampleNode('two', { state: 'undone', wave: 1, orderedMs: 4_000, endedMs: 5_000, message: 'back' }),
  ],
  {
    state: 'undone',
    wave: 1,
    startedMs: 1_000,
    endedMs: 6_000,
    cause: { code: 'apply.rejected', node: 'two', message: 'no such option', log: ['error: x'] },
  },
);

describe('rollouts that there are', () => {
  it('are a table', () => {
    const [head, row] = rolloutTable([ended]).split('\n');
    expect(head).toMatch(/^ROLLOUT +STATE +STARTED +TOOK +NODES +WHO +WHY$/);
    expect(row).toMatch(
      /^r-\S+ +undone +1970-01-01T00:00:01.000Z +5.0s +2 back +dev@laptop +a new greeting$/,
    );
    expect(rolloutTable([])).toBe('there was no rollout yet\n');
  });

  it('show plan, nodes and cause', () => {
    const text = rolloutDetails({ rollout: ended, nodes: [], leader: 'etcd001' });
    expect(text).toContain('wave 1 (canary)');
    expect(text).toMatch(/wave 2 {2}two +back on what it ran +1.0s/);
    expect(text).toContain('  two: back\n');
    expect(text).toContain('stopped in wave 2 of 2 [apply.rejected]\n  two: no such option\n    | error: x');
    expect(text).toContain('two rejected the configuration; brought back: one');
  });

  it('show only the plan of one that has not started', () => {
    const planned = sampleRollout([sampleNode('one')]);
    expect(rolloutDetails({ rollout: planned, nodes: [], leader: '' })).not.toContain('waiting');
  });
});
