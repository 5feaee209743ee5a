/** What the engine sees of the cluster, from the values in etcd. Pure. */
import { Outcome as WireOutcome } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Entry } from '../../shared/etcd/store.js';
import { parseAppKey, parseNodeKey } from '../store/keys.js';
import { desiredShape, instanceShape, parseStatus, parseValue, readValue } from '../store/shapes.js';
import type { Outcome } from './rollout.js';

export interface NodeResult {
  order: string;
  outcome: Outcome;
  message: string;
  log: readonly string[];
}

/** Nodes that run a registered instance of each app, by `group/name`. */
export type Instances = ReadonlyMap<string, readonly string[]>;

export interface NodeView {
  connected: boolean;
  /** It was ordered something that it has not ended; it may be in the middle of it, or begin with it when it returns. */
  open: boolean;
  /** The end of the order that it ended last. */
  result?: NodeResult;
}

export interface View {
  nodes: ReadonlyMap<string, NodeView>;
  instances: Instances;
}

const outcomes: Partial<Record<WireOutcome, Outcome>> = {
  [WireOutcome.OUTCOME_UNCHANGED]: 'unchanged',
  [WireOutcome.OUTCOME_APPLIED]: 'applied',
  [WireOutcome.OUTCOME_NEEDS_REBOOT]: 'needs-reboot',
  [WireOutcome.OUTCOME_REJECTED]: 'rejected',
  [WireOutcome.OUTCOME_ROLLED_BACK]: 'rolled-back',
  [WireOutcome.OUTCOME_UNHEALTHY]: 'unhealthy',
};

const absent: NodeView = { connected: false, open: false };

/**
 * The view of everything below the node keys and the app keys. A value that cannot be read is told and left out: one bad key must not
 * stop the leader.
 */
export function viewOf(entries: readonly Entry[], onInvalid: (error: unknown) => void): View {
  const nodes = new Map<string, NodeView>();
  const instances = new Map<string, string[]>();
  const ordered = new Map<string, string>();
  for (const entry of entries) {
    try {
      addNode(nodes, ordered, entry);
      addInstance(instances, entry);
    } catch (error) {
      onInvalid(error);
    }
  }
  for (const [node, order] of ordered) {
    const known = nodes.get(node) ?? absent;
    nodes.set(node, { ...known, open: known.result?.order !== order });
  }
  return { nodes, instances };
}

function addNode(nodes: Map<string, NodeView>, ordered: Map<string, string>, { key, value }: Entry): void {
  const parsed = parseNodeKey(key);
  if (!parsed) return;
  const known = nodes.get(parsed.node) ?? absent;
  if (parsed.what === 'session') nodes.set(parsed.node, { ...known, connected: true });
  if (parsed.what === 'desired') ordered.set(parsed.node, parseValue(key, value, desiredShape).order);
  if (parsed.what !== 'status') return;
  const { result } = parseStatus(key, value);
  const outcome = result && outcomes[result.outcome];
  if (!result || !outcome) return;
  const { order, message, log } = result;
  nodes.set(parsed.node, { ...known, result: { order, outcome, message, log } });
}

function addInstance(instances: Map<string, string[]>, { key, value }: Entry): void {
  const app = parseAppKey(key);
  if (app?.what !== 'instances') return;
  const id = `${app.group}/${app.app}`;
  const node = readValue(value, instanceShape)?.node;
  // Nobody routes what cannot be read.
  if (node === undefined) return;
  const on = instances.get(id) ?? [];
  if (!on.includes(node)) instances.set(id, [...on, node]);
}
