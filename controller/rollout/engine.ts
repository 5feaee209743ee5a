/**
 * The rollout engine. Pure: the journal, what the cluster looks like and the time go in; the next journal and the orders that belong to
 * it come out. Whoever leads writes both in one transaction (runner.ts), so a decision is either taken as a whole or not at all.
 */
import type { ErrorCode } from '../../shared/error-catalogue.js';
import { refusalOf } from './capacity.js';
import { type Outcome, orderId, type Rollout, type RolloutNode, toNodeState, toState } from './rollout.js';
import { stepUndo } from './undo.js';
import type { View } from './view.js';

export interface Order {
  node: string;
  order: string;
  /** Undefined: what was ordered is withdrawn, and nothing else takes its place. A node that has not confirmed it goes back by itself. */
  revision: string | undefined;
}

export interface Decision {
  /** The same object when there is nothing to do. */
  rollout: Rollout;
  orders: readonly Order[];
}

type Cause = NonNullable<Rollout['cause']>;

const good: ReadonlySet<Outcome> = new Set(['unchanged', 'applied', 'needs-reboot']);

export function succeeded(outcome: Outcome | undefined): boolean {
  return outcome !== undefined && good.has(outcome);
}

/** One step. Call it again with its own result until it changes nothing; then wait for the view or the time to change. */
export function advance(before: Rollout, view: View, nowMs: number): Decision {
  const rollout = inTime(before, nowMs);
  const seen = { ...rollout, nodes: rollout.nodes.map((node) => absorb(node, rollout, view, nowMs)) };
  const current = seen.nodes.every((node, at) => node === rollout.nodes[at]) ? rollout : seen;
  switch (current.state) {
    case 'running':
      return stepRunning(current, view, nowMs);
    case 'paused':
      return only(stepPaused(current, nowMs));
    case 'undoing':
      return stepUndo(current, view, nowMs);
    default:
      return only(current);
  }
}

function only(rollout: Rollout): Decision {
  return { rollout, orders: [] };
}

/** A clock that was set back, or a leader whose clock is behind, must not make a deadline later than it was meant to be. */
function inTime(rollout: Rollout, nowMs: number): Rollout {
  const { startedMs, undoSinceMs, resumeMs, options } = rollout;
  const latest = typeof options.pause === 'number' ? nowMs + options.pause : resumeMs;
  if (startedMs <= nowMs && undoSinceMs <= nowMs && resumeMs <= latest) return rollout;
  const times = {
    startedMs: Math.min(startedMs, nowMs),
    undoSinceMs: Math.min(undoSinceMs, nowMs),
    resumeMs: Math.min(resumeMs, latest),
  };
  return { ...rollout, ...times };
}

/** What became of the order that a node holds. */
function absorb(node: RolloutNode, { options }: Rollout, view: View, nowMs: number): RolloutNode {
  if (node.state !== 'ordered' && node.state !== 'undo-ordered') return node;
  const [well, badly] =
    node.state === 'ordered' ? (['moved', 'failed'] as const) : (['undone', 'undo-failed'] as const);
  const { result, connected } = view.nodes.get(node.name) ?? { connected: false };
  if (result?.order === node.order) {
    const { outcome, message, log } = result;
    // Forced onto a system that is not well: that is what was asked for.
    const kept = options.force && outcome === 'unhealthy';
    const next = succeeded(outcome) || kept ? well : badly;
    return toNodeState(node, next, { outcome, message, log: [...log], endedMs: nowMs, lostMs: 0 });
  }
  if (connected) return node.lostMs === 0 ? node : { ...node, lostMs: 0 };
  // A clock that was set back must not make it wait for ever.
  const lostMs = node.lostMs === 0 || node.lostMs > nowMs ? nowMs : node.lostMs;
  if (nowMs - lostMs >= options.unreachableMs) {
    const message = `away for more than ${Math.round(options.unreachableMs / 1000)} s in the middle of an order`;
    return toNodeState(node, badly, { outcome: 'unreachable', message, endedMs: nowMs, lostMs });
  }
  return lostMs === node.lostMs ? node : { ...node, lostMs };
}

const causeCodes: Partial<Record<Outcome, ErrorCode>> = {
  rejected: 'apply.rejected',
  'rolled-back': 'apply.rolled-back',
  unhealthy: 'apply.unhealthy',
  unreachable: 'apply.unreachable',
};

function stepRunning(rollout: Rollout, view: View, nowMs: number): Decision {
  const failed = rollout.nodes.find(({ state }) => state === 'failed');
  if (failed) {
    const code = (failed.outcome && causeCodes[failed.outcome]) ?? 'internal';
    return only(stop(rollout, { code, node: failed.name, message: failed.message, log: failed.log }, nowMs));
  }
  const { request } = rollout;
  if (request?.action === 'abort') return only(aborted(rollout, nowMs));
  if (request) return only(withoutRequest(rollout));
  const wave = rollout.nodes.filter((node) => node.wave === rollout.wave);
  if (wave.every(({ state }) => state === 'moved')) return only(nextWave(rollout, nowMs));
  const inFlight = rollout.nodes.filter(({ state }) => state === 'ordered');
  const waiting = wave.filter(({ state }) => state === 'waiting');
  if (isLate(rollout, nowMs)) return only(late(rollout, inFlight, waiting, view, nowMs));
  const chosen: RolloutNode[] = [];
  for (const node of waiting) {
    if (!refusalOf(rollout, node, [...inFlight, ...chosen], view)) chosen.push(node);
  }
  if (chosen.length === 0) return only(rollout);
  const nodes = rollout.nodes.map((node) =>
    chosen.includes(node)
      ? toNodeState(node, 'ordered', {
          order: orderId(rollout.id, node.name, 1),
          orderedMs: nowMs,
          lostMs: 0,
        })
      : node,
  );
  const orders = chosen.map(({ name, to }) => ({
    node: name,
    order: orderId(rollout.id, name, 1),
    revision: to.revision,
  }));
  return { rollout: { ...rollout, nodes }, orders };
}

/** After a whole wave: the next one, a pause before it, or the end. */
function nextWave(rollout: Rollout, nowMs: number): Rollout {
  const last = Math.max(...rollout.nodes.map(({ wave }) => wave));
  if (rollout.wave >= last) return toState(rollout, 'succeeded', { endedMs: nowMs });
  const wave = rollout.wave + 1;
  const { pause } = rollout.options;
  if (pause === 0) return { ...rollout, wave };
  return toState(rollout, 'paused', { wave, resumeMs: pause === 'manual' ? 0 : nowMs + pause });
}

function stepPaused(rollout: Rollout, nowMs: number): Rollout {
  const { request, resumeMs } = rollout;
  if (request?.action === 'abort') return aborted(rollout, nowMs);
  if (isLate(rollout, nowMs)) return stop(rollout, timedOut('it was paused'), nowMs);
  if (request?.action === 'resume' || (resumeMs > 0 && nowMs >= resumeMs))
    return toState(withoutRequest(rollout), 'running', { resumeMs: 0 });
  return rollout;
}

function withoutRequest({ request: _done, ...rest }: Rollout): Rollout {
  return rest;
}

function aborted(rollout: Rollout, nowMs: number): Rollout {
  const { request } = rollout;
  const undo = rollout.options.undo && !request?.noUndo;
  const message = `aborted by ${request?.who || 'an operator'}`;
  const calm = { ...withoutRequest(rollout), options: { ...rollout.options, undo } };
  return stop(calm, { code: 'rollout.aborted', node: '', message, log: [] }, nowMs);
}

/** No further node is moved; those that hold an order end it, and then the way back begins. */
function stop(rollout: Rollout, cause: Cause, nowMs: number): Rollout {
  const nodes = rollout.nodes.map((node) => (node.state === 'waiting' ? toNodeState(node, 'skipped') : node));
  return toState(rollout, 'undoing', { nodes, cause, undoSinceMs: nowMs, resumeMs: 0 });
}

function isLate({ startedMs, options }: Rollout, nowMs: number): boolean {
  return nowMs - startedMs >= options.deadlineMs;
}

function timedOut(why: string, node = ''): Cause {
  return { code: 'rollout.timeout', node, message: `the deadline passed: ${why}`, log: [] };
}

function late(
  rollout: Rollout,
  inFlight: readonly RolloutNode[],
  waiting: readonly RolloutNode[],
  view: View,
  nowMs: number,
): Rollout {
  const [busy] = inFlight;
  if (busy) return stop(rollout, timedOut(`${busy.name} has not ended its order`, busy.name), nowMs);
  for (const node of waiting) {
    const refusal = refusalOf(rollout, node, [], view);
    if (refusal?.why !== 'minimum') continue;
    const message = `${refusal.app} would have fallen below its minimum of ${rollout.minimums[refusal.app] ?? 0} without ${node.name}`;
    return stop(rollout, { code: 'rollout.capacity', node: node.name, message, log: [] }, nowMs);
  }
  return stop(rollout, timedOut('there was no time left'), nowMs);
}
