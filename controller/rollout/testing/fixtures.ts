/** Rollouts and views for the unit tests of this folder. */
import { parseOptions } from '../options.js';
import { type NodeChanges, type NodeState, noChanges, type Rollout, type RolloutNode } from '../rollout.js';
import type { NodeResult, NodeView, View } from '../view.js';

export function changing(...apps: [id: string, action: 'start' | 'restart' | 'stop'][]): NodeChanges {
  return {
    ...noChanges,
    apps: apps.map(([id, action]) => ({ id, action, fromVersion: '', toVersion: '' })),
  };
}

export function node(
  name: string,
  state: NodeState = 'waiting',
  facts: Partial<RolloutNode> = {},
): RolloutNode {
  const order = { ordered: 1, moved: 1, failed: 1, 'undo-ordered': 2, undone: 2 }[state as string];
  return {
    name,
    kind: 'cluster',
    groups: ['backends'],
    wave: 0,
    from: { revision: 'old', system: '/nix/store/old' },
    to: { revision: 'new', system: '/nix/store/new' },
    desiredChange: 1,
    changes: noChanges,
    state,
    order: order ? `r-1/${name}/${order}` : '',
    orderedMs: 0,
    endedMs: 0,
    lostMs: 0,
    message: '',
    log: [],
    ...facts,
  };
}

export function rollout(nodes: RolloutNode[], facts: Partial<Rollout> = {}, options: object = {}): Rollout {
  return {
    id: 'r-1',
    who: 'a@b',
    why: '',
    state: 'running',
    createdMs: 0,
    startedMs: 1_000,
    endedMs: 0,
    // Past the checks: a test wants short times, not sensible ones.
    options: { ...parseOptions({}), ...options },
    minimums: {},
    instances: {},
    nodes,
    wave: 0,
    resumeMs: 0,
    undoSinceMs: 0,
    control: [],
    undoes: '',
    ...facts,
  };
}

export function ended(order: string, outcome: NodeResult['outcome'] = 'applied'): Partial<NodeView> {
  return { result: { order, outcome, message: 'why', log: ['line'] }, open: false };
}

/** Every node is connected and has no open order unless it says otherwise. */
export function view(
  nodes: Record<string, Partial<NodeView>> = {},
  instances: Record<string, string[]> = {},
): View {
  const known = Object.entries(nodes).map(([name, facts]): [string, NodeView] => [
    name,
    { connected: true, open: false, ...facts },
  ]);
  return { nodes: new Map(known), instances: new Map(Object.entries(instances)) };
}
