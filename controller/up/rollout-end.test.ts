import { describe, expect, it } from 'vitest';
import type { Rollout, RolloutNode } from '../rollout/rollout.js';
import { sampleNode, sampleRollout } from '../rollout/testing/sample-rollout.js';
import { problemOf } from './rollout-end.js';

const cause = (code: string, node = 'two') => ({ code, node, message: 'why', log: ['line'] });
const nodes = (...states: RolloutNode['state'][]) =>
  states.map((state, at) => sampleNode(['one', 'two', 'three'][at] ?? '', { state }));
const rollout = (facts: Partial<Rollout>, of: RolloutNode[] = nodes('undone', 'undone', 'skipped')) =>
  sampleRollout(of, { state: 'undone', ...facts });

describe('end of a rollout', () => {
  it('is no problem when it succeeded', () => {
    expect(problemOf(rollout({ state: 'succeeded' }, nodes('moved', 'moved')))).toBeUndefined();
  });

  it('names the nodes that need a reboot', () => {
    const of = [sampleNode('one', { state: 'moved', outcome: 'needs-reboot' }), ...nodes('moved')];
    expect(problemOf(rollout({ state: 'succeeded' }, of))).toMatchObject({
      code: 'apply.needs-reboot',
      exitCode: 9,
      message: 'Applied; a reboot is needed on one',
    });
  });

  it.each([
    ['apply.rejected', 4],
    ['apply.unhealthy', 5],
    ['apply.rolled-back', 7],
    ['apply.unreachable', 8],
    ['rollout.capacity', 5],
    ['rollout.timeout', 3],
    ['rollout.aborted', 1],
  ])('%s ends with %d', (code, exitCode) => {
    expect(problemOf(rollout({ cause: cause(code) }))).toMatchObject({ code, exitCode, reason: 'why' });
  });

  it('keeps its cause when nothing but a lost node is not back', () => {
    const lost = sampleNode('two', { state: 'undo-failed', outcome: 'unreachable' });
    const facts = { state: 'undo-failed', cause: cause('apply.unreachable') } as const;
    expect(problemOf(rollout(facts, [...nodes('undone'), lost]))).toMatchObject({
      code: 'apply.unreachable',
      exitCode: 8,
    });
    const stuck = sampleNode('one', { state: 'undo-failed', outcome: 'unhealthy' });
    expect(problemOf(rollout(facts, [stuck, lost]))).toMatchObject({
      code: 'rollout.undo-failed',
      node: 'one',
    });
  });

  it('says which node, why, and what became of the others', () => {
    expect(problemOf(rollout({ cause: cause('apply.rejected') }))).toMatchObject({
      node: 'two',
      message: 'two rejected the configuration; brought back: one; not touched: three',
      log: ['line'],
    });
    const kept = rollout(
      { state: 'failed', cause: cause('apply.rejected') },
      nodes('moved', 'undone', 'skipped'),
    );
    expect(problemOf(kept)?.message).toContain('moved and kept: one; not touched: three');
    const alone = rollout({ cause: cause('apply.rejected', 'one') }, nodes('undone'));
    expect(problemOf(alone)?.message).toContain('no other node was moved');
  });

  it('is about the way back when that failed', () => {
    const stuck = rollout(
      { state: 'undo-failed', cause: cause('apply.rejected') },
      nodes('undo-failed', 'undone'),
    );
    expect(problemOf(stuck)).toMatchObject({
      code: 'rollout.undo-failed',
      exitCode: 5,
      node: 'one',
      reason: 'why',
    });
    expect(problemOf(stuck)?.message).toContain('NOT brought back: one');
    expect(problemOf(stuck)?.next).toContain('nix-infra rollout show r-20260102-030405-ab12`');
  });

  it('does not trust a code that it does not know', () => {
    expect(problemOf(rollout({ cause: cause('made.up') }))?.code).toBe('internal');
  });
});
