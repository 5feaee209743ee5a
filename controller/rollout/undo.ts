/** The way back of a rollout that stopped. Pure; a part of the engine. */
import { refusalOf } from './capacity.js';
import { rolloutDefaults as defaults } from './defaults.js';
import type { Decision } from './engine.js';
import {
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
  if (nowMs - rollout.undoSinceMs >= defaults.undoMs)
    return { rollout: finish(giveUp(rollout, nowMs), nowMs), orders: [] };
  const owed = rollout.nodes.filter((node) => isOwed(rollout, node));
  const lost = owed.filter(({ from }) => from.revision === '');
  if (lost.length > 0) {
    const message = 'what it ran before is not known to the cluster';
    const nodes = rollout.nodes.map((node) =>
      lost.includes(node) ? toNodeState(node, 'undo-failed', { message, endedMs: nowMs }) : node,
    );
    return { rollout: { ...rollout, nodes }, orders: [] };
  }
  const inFlight = rollout.nodes.filter(({ state }) => state === 'ordered' || state === 'undo-ordered');
  if (owed.length === 0 && inFlight.length === 0) return { rollout: finish(rollout, nowMs), orders: [] };
  const chosen: RolloutNode[] = [];
  for (const node of inOrder(owed)) {
    // Going back takes nothing from an app whose instance on the node is gone anyway.
    const free = node.state === 'failed';
    if (free || !refusalOf(rollout, node, [...inFlight, ...chosen], view)) chosen.push(node);
  }
  if (chosen.length === 0) return { rollout, orders: [] };
  const order = ({ name }: RolloutNode) => orderId(rollout.id, name, 2);
  const nodes = rollout.nodes.map((node) =>
    chosen.includes(node)
      ? toNodeState(node, 'undo-ordered', {
          order: order(node),
          orderedMs: nowMs,
          // A node that is away stays away as long as it has been: nobody waits for it a second time.
          lostMs: node.outcome === 'unreachable' ? node.lostMs : 0,
        })
      : node,
  );
  return {
    rollout: { ...rollout, nodes },
    orders: chosen.map((node) => ({ node: node.name, order: order(node), revision: node.from.revision })),
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

function giveUp(rollout: Rollout, nowMs: number): Rollout {
  const end = (node: RolloutNode): RolloutNode => {
    const message = 'the time for the way back is over';
    const facts = { message, endedMs: nowMs };
    if (node.state === 'ordered') return toNodeState(toNodeState(node, 'failed'), 'undo-failed', facts);
    if (node.state === 'undo-ordered' || isOwed(rollout, node))
      return toNodeState(node, 'undo-failed', facts);
    return node;
  };
  return { ...rollout, nodes: rollout.nodes.map(end) };
}

function finish(rollout: Rollout, nowMs: number): Rollout {
  return toState(rollout, endOf(rollout), { endedMs: nowMs });
}

function endOf({ nodes, options, cause }: Rollout): RolloutState {
  if (nodes.some(({ state }) => state === 'undo-failed')) return 'undo-failed';
  if (options.undo) return 'undone';
  return cause?.code === 'rollout.aborted' ? 'aborted' : 'failed';
}
