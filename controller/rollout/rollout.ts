/**
 * The journal of a rollout: one JSON value in etcd that is the plan before it starts, the progress while it runs and the record after it.
 * Every change of it is one transaction together with the orders that it gives, so there is nothing to repair after a crash.
 */
import { z } from 'zod';
import { optionsShape } from './options.js';

export const rolloutStates = [
  'planned',
  'running',
  'paused',
  'undoing',
  'succeeded',
  'failed',
  'undone',
  'undo-failed',
  'aborted',
] as const;
export type RolloutState = (typeof rolloutStates)[number];

/** Which states may follow which. A state without followers is terminal. */
export const rolloutTransitions: Readonly<Record<RolloutState, readonly RolloutState[]>> = {
  planned: ['running'],
  running: ['paused', 'undoing', 'succeeded', 'failed', 'aborted'],
  paused: ['running', 'undoing', 'failed', 'aborted'],
  undoing: ['undone', 'undo-failed', 'failed', 'aborted'],
  succeeded: [],
  failed: [],
  undone: [],
  'undo-failed': [],
  aborted: [],
};

export function isTerminal(state: RolloutState): boolean {
  return rolloutTransitions[state].length === 0;
}

export const nodeStates = [
  'waiting',
  'ordered',
  'moved',
  'failed',
  'undo-ordered',
  'undone',
  'undo-failed',
  'skipped',
] as const;
export type NodeState = (typeof nodeStates)[number];

export const nodeTransitions: Readonly<Record<NodeState, readonly NodeState[]>> = {
  waiting: ['ordered', 'skipped'],
  ordered: ['moved', 'failed'],
  // Straight to undo-failed: what it ran before is not known.
  moved: ['undo-ordered', 'undo-failed'],
  // Straight to undone: it is where it was, and nothing has to be ordered.
  failed: ['undo-ordered', 'undo-failed', 'undone'],
  'undo-ordered': ['undone', 'undo-failed'],
  undone: [],
  'undo-failed': [],
  skipped: [],
};

/** The rollout in its next state; throws on a step that the table does not have, which would be a defect of ours. */
export function toState(rollout: Rollout, state: RolloutState, facts: Partial<Rollout> = {}): Rollout {
  if (!rolloutTransitions[rollout.state].includes(state))
    throw new Error(`a rollout cannot go from ${rollout.state} to ${state}`);
  return { ...rollout, ...facts, state };
}

/** The node in its next state, likewise. */
export function toNodeState(
  node: RolloutNode,
  state: NodeState,
  facts: Partial<RolloutNode> = {},
): RolloutNode {
  if (!nodeTransitions[node.state].includes(state))
    throw new Error(`a node of a rollout cannot go from ${node.state} to ${state}`);
  return { ...node, ...facts, state };
}

export const outcomes = [
  'unchanged',
  'applied',
  'needs-reboot',
  'rejected',
  'rolled-back',
  'unhealthy',
  'unreachable',
] as const;
export type Outcome = (typeof outcomes)[number];

const appShape = z.object({
  /** `group/name` */
  id: z.string(),
  action: z.enum(['start', 'restart', 'stop']),
  fromVersion: z.string(),
  toVersion: z.string(),
});

const changesShape = z.object({
  files: z.array(z.object({ path: z.string(), change: z.enum(['added', 'changed', 'removed']) })),
  stop: z.array(z.string()),
  start: z.array(z.string()),
  restart: z.array(z.string()),
  reload: z.array(z.string()),
  packages: z.array(z.string()),
  apps: z.array(appShape),
  needsReboot: z.boolean(),
});
export type NodeChanges = z.infer<typeof changesShape>;

/** Nothing that runs changes. */
export const noChanges: NodeChanges = {
  files: [],
  stop: [],
  start: [],
  restart: [],
  reload: [],
  packages: [],
  apps: [],
  needsReboot: false,
};

const nodeShape = z.object({
  name: z.string(),
  kind: z.enum(['control', 'cluster', 'ingress']),
  /** Nodes that share one of these are limited by maxUnavailable together. */
  groups: z.array(z.string()),
  wave: z.int(),
  /** What it ran when the plan was made. The revision is empty when the cluster does not know it; then it cannot be undone. */
  from: z.object({ revision: z.string(), system: z.string() }),
  to: z.object({ revision: z.string(), system: z.string() }),
  /** etcd revision of the node's desired key when the plan was made; 0 for none. */
  desiredChange: z.number(),
  changes: changesShape,
  state: z.enum(nodeStates),
  /** The order given last; empty before the first. */
  order: z.string(),
  orderedMs: z.number(),
  endedMs: z.number(),
  /** When the node was first seen away during the order; 0 while it is there. */
  lostMs: z.number(),
  outcome: z.enum(outcomes).optional(),
  message: z.string(),
  log: z.array(z.string()),
});
export type RolloutNode = z.infer<typeof nodeShape>;

export const rolloutShape = z.object({
  id: z.string(),
  who: z.string(),
  why: z.string(),
  state: z.enum(rolloutStates),
  createdMs: z.number(),
  startedMs: z.number(),
  endedMs: z.number(),
  options: optionsShape,
  /** Least healthy instances of each app that it touches, by `group/name`. */
  minimums: z.record(z.string(), z.int()),
  /** Instances of these apps when the plan was made. */
  instances: z.record(z.string(), z.int()),
  nodes: z.array(nodeShape),
  /** Every control node of the cluster, also those that stay: two of them may not be away at once. */
  control: z.array(z.string()),
  /** The wave that is under way. */
  wave: z.int(),
  /** While paused: when it goes on; 0 until somebody says so. */
  resumeMs: z.number(),
  /** When the way back began; 0 before. */
  undoSinceMs: z.number(),
  /** Why it stopped. */
  cause: z
    .object({ code: z.string(), node: z.string(), message: z.string(), log: z.array(z.string()) })
    .optional(),
  /** What an operator asked for and the leader has not done yet. */
  request: z.object({ action: z.enum(['abort', 'resume']), noUndo: z.boolean(), who: z.string() }).optional(),
  /** The rollout that this one undoes; empty for a deploy. */
  undoes: z.string(),
});
export type Rollout = z.infer<typeof rolloutShape>;

/** The order of a node: its first moves it, its second brings it back. */
export function orderId(rollout: string, node: string, nth: 1 | 2): string {
  return `${rollout}/${node}/${nth}`;
}
