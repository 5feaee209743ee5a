/** Rollouts for tests of what shows and watches them. */
import { parseOptions, type RolloutOptions } from '../options.js';
import { noChanges, type Rollout, type RolloutNode } from '../rollout.js';

/** A node in wave 0 that waits; `a` makes the revisions `1111…` to `aaaa…`. */
export function sampleNode(name: string, facts: Partial<RolloutNode> = {}): RolloutNode {
  return {
    name,
    kind: 'cluster',
    groups: ['frontends'],
    wave: 0,
    from: { revision: '1'.repeat(64), system: '/nix/store/old' },
    to: { revision: 'a'.repeat(64), system: '/nix/store/new' },
    desiredChange: 7,
    changes: noChanges,
    state: 'waiting',
    order: '',
    orderedMs: 0,
    endedMs: 0,
    lostMs: 0,
    message: '',
    log: [],
    ...facts,
  };
}

export function sampleRollout(
  nodes: readonly RolloutNode[],
  facts: Partial<Rollout> = {},
  options: Partial<RolloutOptions> = {},
): Rollout {
  return {
    id: 'r-20260102-030405-ab12',
    who: 'dev@laptop',
    why: 'a new greeting',
    state: 'planned',
    createdMs: 1_000,
    startedMs: 0,
    endedMs: 0,
    options: parseOptions(options),
    minimums: {},
    instances: {},
    nodes: [...nodes],
    wave: 0,
    resumeMs: 0,
    undoSinceMs: 0,
    control: [],
    undoes: '',
    ...facts,
  };
}
