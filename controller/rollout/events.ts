/** What there is to tell of a rollout. Pure: two views of it go in, what happened between them comes out. */
import { Phase } from '../../proto/gen/nixinfra/v1/agent.js';
import type { NodeProgress } from '../../proto/gen/nixinfra/v1/operator.js';
import type { NodeState, Outcome, Rollout, RolloutNode, RolloutState } from './rollout.js';
import { isTerminal, orderId } from './rollout.js';

/** A rollout as a controller shows it to whoever watches. */
export interface RolloutView {
  rollout: Rollout;
  /** What the nodes that hold an order do now. */
  nodes: readonly NodeProgress[];
  /** The controller that leads; empty while none does. */
  leader: string;
}

export type RolloutEvent =
  /** A node builds what it shall run, before there is a plan. */
  | { type: 'planning'; node: string; message: string }
  /** The plan; without nodes when nothing has to change. */
  | { type: 'planned'; rollout: Rollout }
  /** Another rollout holds the cluster. */
  | { type: 'lock-waiting'; rollout: string; who: string; why: string; sinceMs: number }
  /** The plan that was shown does not hold any more; another one follows. */
  | { type: 'stale'; rollout: string }
  /** `detached`: nobody here watches it. */
  | { type: 'started'; rollout: string; detached: boolean }
  | { type: 'watching'; rollout: string; state: RolloutState; who: string; why: string; nodes: number }
  /** The state itself, for what draws instead of appending; no line of its own. */
  | { type: 'view'; view: RolloutView }
  | { type: 'leader-changed'; leader: string; before: string }
  /** Waves count from 1. */
  | { type: 'wave-started'; wave: number; waves: number; nodes: readonly string[] }
  | { type: 'node-ordered'; node: string; revision: string; order: string }
  | { type: 'node-progress'; node: string; phase: string; message: string }
  /** It holds an order and its agent is not there. */
  | { type: 'node-away'; node: string }
  | { type: 'node-back'; node: string }
  | { type: 'node-moved'; node: string; revision: string; outcome: Outcome; elapsedMs?: number }
  | {
      type: 'node-failed';
      node: string;
      outcome: Outcome;
      message: string;
      log: readonly string[];
      elapsedMs?: number;
    }
  | { type: 'node-skipped'; node: string }
  | { type: 'node-undoing'; node: string; revision: string }
  | { type: 'node-undone'; node: string; revision: string; elapsedMs?: number }
  | { type: 'node-undo-failed'; node: string; message: string; log: readonly string[]; elapsedMs?: number }
  /** `resumeMs` is Unix time; 0 until somebody resumes it. */
  | { type: 'paused'; wave: number; waves: number; resumeMs: number }
  | { type: 'resumed' }
  | { type: 'stopped'; cause: NonNullable<Rollout['cause']>; undo: boolean }
  | {
      type: 'ended';
      rollout: string;
      state: RolloutState;
      elapsedMs: number;
      counts: Partial<Record<NodeState, number>>;
    };

export type RolloutListener = (event: RolloutEvent) => void;

/** The waves that there are, in order; their place in it is the number that people see, less one. */
export function wavesIn({ nodes }: Pick<Rollout, 'nodes'>): number[] {
  return [...new Set(nodes.map(({ wave }) => wave))].sort((a, b) => a - b);
}

export function countStates(nodes: readonly RolloutNode[]): Partial<Record<NodeState, number>> {
  const counts: Partial<Record<NodeState, number>> = {};
  for (const { state } of nodes) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

/** What the agent says that it does for the order that the node holds; undefined while it says nothing. */
export function progressOf(
  node: RolloutNode,
  view: RolloutView,
): { phase: string; message: string } | undefined {
  const { progress } = view.nodes.find((each) => each.node === node.name) ?? {};
  if (!progress || progress.order !== node.order || !inFlight(node)) return undefined;
  return { phase: phaseName(progress.phase), message: progress.message };
}

export function inFlight({ state }: RolloutNode): boolean {
  return state === 'ordered' || state === 'undo-ordered';
}

/** `PHASE_BUILDING` as `building`. */
export function phaseName(phase: Phase): string {
  return (Phase[phase] ?? '').replace('PHASE_', '').toLowerCase();
}

/**
 * What happened from one view to the next, in the order in which it must have happened. Views may be left out in between: a node that
 * was seen waiting and then moved was ordered as well. Without a view before, everything since the plan is told.
 */
export function eventsBetween(before: RolloutView | undefined, after: RolloutView): RolloutEvent[] {
  const { rollout } = after;
  const from = before ?? { rollout: asPlanned(rollout), nodes: [], leader: after.leader };
  const steps = rollout.nodes.map((node) => stepsOf(node, from, after));
  const waves = wavesIn(rollout);
  const started = startedWave(from.rollout);
  const forward = waves.flatMap((wave, at): RolloutEvent[] => {
    const members = rollout.nodes.filter((node) => node.wave === wave);
    const begins: RolloutEvent[] =
      wave > started && wave <= startedWave(rollout)
        ? [
            {
              type: 'wave-started',
              wave: at + 1,
              waves: waves.length,
              nodes: members.map(({ name }) => name),
            },
          ]
        : [];
    return [...begins, ...members.flatMap((node) => steps[rollout.nodes.indexOf(node)]?.forward ?? [])];
  });
  return [
    ...(before ? [] : [watching(rollout)]),
    ...leaderEvents(from, after),
    ...(from.rollout.state === 'paused' && rollout.state === 'running' ? [{ type: 'resumed' } as const] : []),
    ...forward,
    ...pauseEvents(from.rollout, rollout, waves),
    ...(!from.rollout.cause && rollout.cause
      ? [{ type: 'stopped', cause: rollout.cause, undo: rollout.options.undo } as const]
      : []),
    ...steps.flatMap(({ backward }) => backward),
    ...(!isTerminal(from.rollout.state) && isTerminal(rollout.state) ? [ended(rollout)] : []),
  ];
}

function watching({ id, state, who, why, nodes }: Rollout): RolloutEvent {
  return { type: 'watching', rollout: id, state, who, why, nodes: nodes.length };
}

function ended({ id, state, startedMs, endedMs, nodes }: Rollout): RolloutEvent {
  return { type: 'ended', rollout: id, state, elapsedMs: endedMs - startedMs, counts: countStates(nodes) };
}

function asPlanned(rollout: Rollout): Rollout {
  const { cause: _cause, ...rest } = rollout;
  const nodes = rollout.nodes.map(
    (node): RolloutNode => ({ ...node, state: 'waiting', order: '', lostMs: 0 }),
  );
  return { ...rest, state: 'planned', nodes };
}

/** A leader that is gone is told by the next one; in between there is nothing that an operator could do. */
function leaderEvents(from: RolloutView, after: RolloutView): RolloutEvent[] {
  if (after.leader === from.leader || after.leader === '') return [];
  return [{ type: 'leader-changed', leader: after.leader, before: from.leader }];
}

function pauseEvents(from: Rollout, after: Rollout, waves: readonly number[]): RolloutEvent[] {
  if (after.state !== 'paused' || (from.state === 'paused' && from.wave === after.wave)) return [];
  return [
    { type: 'paused', wave: waves.indexOf(after.wave) + 1, waves: waves.length, resumeMs: after.resumeMs },
  ];
}

/** The last wave that began; -1 before the first. A pause stands before the wave that the journal names. */
function startedWave({ state, wave, nodes }: Rollout): number {
  if (state === 'planned') return -1;
  const touched = nodes.filter((node) => node.state !== 'waiting' && node.state !== 'skipped');
  return Math.max(-1, state === 'running' ? wave : -1, ...touched.map((node) => node.wave));
}

interface NodeSteps {
  forward: RolloutEvent[];
  backward: RolloutEvent[];
}

function stepsOf(node: RolloutNode, from: RolloutView, after: RolloutView): NodeSteps {
  const old = from.rollout.nodes.find(({ name }) => name === node.name);
  const steps: NodeSteps = { forward: [], backward: [] };
  for (const state of statesAfter(old?.state ?? 'waiting', node, after.rollout)) {
    const event = stateEvent(state, node, after.rollout);
    if (event) steps[backwardStates.has(state) ? 'backward' : 'forward'].push(event);
  }
  const whileOrdered = steps[node.state === 'undo-ordered' ? 'backward' : 'forward'];
  if (inFlight(node)) whileOrdered.push(...flightEvents(node, old, from, after));
  return steps;
}

/** Told after the cause: waiting nodes are left out because of it. */
const backwardStates: ReadonlySet<NodeState> = new Set(['skipped', 'undo-ordered', 'undone', 'undo-failed']);

/** The states that a node must have gone through since `from`, its present one last. */
function statesAfter(from: NodeState, node: RolloutNode, rollout: Rollout): NodeState[] {
  const { state } = node;
  const away: NodeState = state === 'failed' || failedBefore(node, rollout) ? 'failed' : 'moved';
  // It may be given up without an order to go back: what it ran before is not known, or the time was over.
  const ordered = state !== 'undo-failed' || hasSecondOrder(node, rollout);
  const way: NodeState[] =
    state === 'skipped'
      ? ['waiting', 'skipped']
      : ['waiting', 'ordered', away, ...(ordered ? ['undo-ordered' as const] : [])];
  const full = way.includes(state) ? way.slice(0, way.indexOf(state) + 1) : [...way, state];
  const at = from === 'failed' || from === 'moved' ? 2 : full.indexOf(from);
  return full.slice(at + 1);
}

function hasSecondOrder({ name, order }: RolloutNode, { id }: Rollout): boolean {
  return order === orderId(id, name, 2);
}

/** Whether its first order ended badly. The outcome tells, until that of the second order takes its place. */
function failedBefore(node: RolloutNode, rollout: Rollout): boolean {
  const second = hasSecondOrder(node, rollout) && node.state !== 'undo-ordered';
  if (second || node.outcome === undefined) return rollout.cause?.node === node.name;
  const kept = rollout.options.force && node.outcome === 'unhealthy';
  return !kept && !goodOutcomes.has(node.outcome);
}

const goodOutcomes: ReadonlySet<Outcome> = new Set(['unchanged', 'applied', 'needs-reboot']);

function stateEvent(state: NodeState, node: RolloutNode, { cause }: Rollout): RolloutEvent | undefined {
  const { name, from, to, order } = node;
  // What the journal says of the node is about its present state alone.
  const now = node.state === state;
  const time = now && node.endedMs >= node.orderedMs ? { elapsedMs: node.endedMs - node.orderedMs } : {};
  switch (state) {
    case 'waiting':
      return undefined;
    case 'ordered':
      return { type: 'node-ordered', node: name, revision: to.revision, order: now ? order : '' };
    case 'moved':
      return {
        type: 'node-moved',
        node: name,
        revision: to.revision,
        outcome: (now && node.outcome) || 'applied',
        ...time,
      };
    case 'failed': {
      const known = !now && cause?.node === name ? cause : node;
      const outcome = failedOutcome(node, cause);
      return { type: 'node-failed', node: name, outcome, message: known.message, log: known.log, ...time };
    }
    case 'skipped':
      return { type: 'node-skipped', node: name };
    case 'undo-ordered':
      return { type: 'node-undoing', node: name, revision: from.revision };
    case 'undone':
      return { type: 'node-undone', node: name, revision: from.revision, ...time };
    case 'undo-failed':
      return { type: 'node-undo-failed', node: name, message: node.message, log: node.log, ...time };
  }
}

/** How its first order ended. Once the second has ended, only the cause of the stop still says it. */
function failedOutcome({ name, state, outcome }: RolloutNode, cause: Rollout['cause']): Outcome {
  const own = state === 'failed' || state === 'undo-ordered' ? outcome : undefined;
  return own ?? (cause?.node === name ? causeOutcomes[cause.code] : undefined) ?? 'rejected';
}

const causeOutcomes: Record<string, Outcome> = {
  'apply.rejected': 'rejected',
  'apply.rolled-back': 'rolled-back',
  'apply.unhealthy': 'unhealthy',
  'apply.unreachable': 'unreachable',
};

function flightEvents(
  node: RolloutNode,
  old: RolloutNode | undefined,
  from: RolloutView,
  after: RolloutView,
): RolloutEvent[] {
  const events: RolloutEvent[] = [];
  const wasAway = (old?.lostMs ?? 0) > 0 && old?.order === node.order;
  if (node.lostMs > 0 && !wasAway) events.push({ type: 'node-away', node: node.name });
  if (node.lostMs === 0 && wasAway) events.push({ type: 'node-back', node: node.name });
  const said = old && progressOf(old, from);
  const says = progressOf(node, after);
  if (says && (says.phase !== said?.phase || says.message !== said?.message || old?.order !== node.order))
    events.push({ type: 'node-progress', node: node.name, ...says });
  return events;
}
