/** The way back of a rollout that stopped. Pure; a part of the engine. */
import { refusalOf } from './capacity.js';
import { rolloutDefaults as defaults } from './defaults.js';
import type { Decision, Order } from './engine.js';
import {
  type Outcome,
  orderId,
  type Rollout,
  type RolloutNode,
  type RolloutState,
  toNodeState,
  toState,
} from './rollout.js';
import type { View } from './view.js';

/**
 * Nodes that failed always get their former revision ordered again: they run it already, or shall when they return. Nodes that were
 * moved get it unless the operator wants to keep them. The same limits hold as on the way there.
 */
export function stepUndo(rollout: Rollout, view: View, nowMs: number): Decision {
  if (nowMs - rollout.undoSinceMs >= defaults.undoMs) return giveUp(rollout, nowMs);
  const owed = rollout.nodes.filter((node) => isOwed(rollout, node));
  const lost = owed.filter(({ from }) => from.revision === '');
  if (lost.length > 0) return withdraw(rollout, lost, nowMs);
  const inFlight = rollout.nodes.filter(({ state }) => state === 'ordered' || state === 'undo-ordered');
  if (owed.length === 0 && inFlight.length === 0) return { rollout: finish(rollout, nowMs), orders: [] };
  const chosen: RolloutNode[] = [];
  for (const node of inOrder(owed)) {
    // Going back takes nothing from an app whose instance on the node is gone anyway.
    const free = node.state === 'failed';
    if (free || !refusalOf(rollout, node, [...inFlight, ...chosen], view)) chosen.push(node);
  }
  if (chosen.length === 0) return { rollout, orders: [] };
  const nodes = rollout.nodes.map((node) =>
    chosen.includes(node)
      ? toNodeState(node, 'undo-ordered', {
          order: backOrder(rollout, node).order,
          orderedMs: nowMs,
          // A node that is away stays away as long as it has been: nobody waits for it a second time.
          lostMs: node.outcome === 'unreachable' ? node.lostMs : 0,
        })
      : node,
  );
  return {
    rollout: { ...rollout, nodes },
    orders: chosen.map((node) => backOrder(rollout, node)),
  };
}

function isOwed({ options }: Rollout, { state }: RolloutNode): boolean {
  return state === 'failed' || (state === 'moved' && options.undo);
}

/** Failed ones first, then the last moved first. */
function inOrder(nodes: readonly RolloutNode[]): RolloutNode[] {
  const rank = ({ state, endedMs }: RolloutNode) => (state === 'failed' ? Number.POSITIVE_INFINITY : endedMs);
  return [...nodes].sort((a, b) => (rank(a) === rank(b) ? 0 : rank(b) - rank(a)));
}

/** What brings the node back; where nobody knows what it ran, what takes the failed order away. */
function backOrder({ id }: Rollout, { name, from }: RolloutNode): Order {
  return { node: name, order: orderId(id, name, 2), revision: from.revision || undefined };
}

const whereItWas: ReadonlySet<Outcome | undefined> = new Set(['rejected', 'rolled-back']);

/** Nodes of which nobody knows what they ran. One that went back by itself is there again all the same. */
function withdraw(rollout: Rollout, lost: readonly RolloutNode[], nowMs: number): Decision {
  const message = 'what it ran before is not known to the cluster';
  const nodes = rollout.nodes.map((node) => {
    if (!lost.includes(node)) return node;
    return node.state === 'failed' && whereItWas.has(node.outcome)
      ? toNodeState(node, 'undone')
      : toNodeState(node, 'undo-failed', { message, endedMs: nowMs });
  });
  // One that was moved is confirmed on what it runs, and stays: its order says so.
  const orders = lost.filter(({ state }) => state === 'failed').map((node) => backOrder(rollout, node));
  return { rollout: { ...rollout, nodes }, orders };
}

/** The rollout ends, but what is open must not move a node behind everybody's back: the way back is ordered, without waiting for it. */
function giveUp(rollout: Rollout, nowMs: number): Decision {
  const message = 'the time for the way back is over; it goes back when it can';
  const facts = { message, endedMs: nowMs };
  const orders: Order[] = [];
  const nodes = rollout.nodes.map((node) => {
    if (node.state === 'undo-ordered') return toNodeState(node, 'undo-failed', facts);
    if (node.state !== 'ordered' && !isOwed(rollout, node)) return node;
    const back = backOrder(rollout, node);
    orders.push(back);
    const failed = node.state === 'ordered' ? toNodeState(node, 'failed') : node;
    return toNodeState(failed, 'undo-failed', { ...facts, order: back.order });
  });
  return { rollout: finish({ ...rollout, nodes }, nowMs), orders };
}

function finish(rollout: Rollout, nowMs: number): Rollout {
  return toState(rollout, endOf(rollout), { endedMs: nowMs });
}

function endOf({ nodes, options, cause }: Rollout): RolloutState {
  if (nodes.some(({ state }) => state === 'undo-failed')) return 'undo-failed';
  if (options.undo) return 'undone';
  return cause?.code === 'rollout.aborted' ? 'aborted' : 'failed';
}
