/** Pure: what etcd holds about nodes and apps, turned into what an operator sees. */
import type { Mesh } from '../../proto/gen/nixinfra/v1/agent.js';
import type { AppState, NodeState } from '../../proto/gen/nixinfra/v1/operator.js';
import type { Entry } from '../../shared/etcd/store.js';
import { parseAppKey } from './keys.js';
import {
  type ClusterNode,
  type DesiredValue,
  instanceShape,
  metaShape,
  type NodeStatus,
  readValue,
  type SessionValue,
} from './shapes.js';

/** An order; `change` is the etcd revision of its last write. */
export type Ordered = DesiredValue & { change: number };

export interface NodeFacts {
  name: string;
  registration?: ClusterNode | undefined;
  desired?: Ordered | undefined;
  status?: NodeStatus | undefined;
  session?: SessionValue | undefined;
  mesh?: Mesh | undefined;
}

/** A result counts for the order that it answers. Without an order, the last one is still worth knowing. */
function currentResult({ desired, status }: NodeFacts): NodeStatus['result'] {
  return desired === undefined || status?.result?.order === desired.order ? status?.result : undefined;
}

export function nodeState(facts: NodeFacts): NodeState {
  const { name, registration, desired, status, session } = facts;
  return {
    name,
    ipv4: registration?.ipv4 ?? '',
    services: registration?.services ?? [],
    connected: session !== undefined,
    controller: session?.controller ?? '',
    agentVersion: status?.hello?.agentVersion ?? '',
    desiredRevision: desired?.revision ?? '',
    // Not that of the last result: one that was rejected or rolled back does not run.
    revision: status?.health?.revision ?? status?.hello?.revision ?? '',
    system: status?.health?.system ?? status?.hello?.system ?? '',
    progress: status?.progress,
    result: currentResult(facts),
    health: status?.health,
    seenMs: status?.seenMs ?? 0,
    mesh: facts.mesh && {
      readable: facts.mesh.readable,
      revision: facts.mesh.revision,
      seenRevision: facts.mesh.seenRevision,
      warnings: facts.mesh.warnings,
    },
  };
}

/**
 * Apps with their instances, sorted by group and name. A value that cannot be read is left out: the nodes that route it say what is
 * wrong with it, and the rest of the cluster is still worth seeing.
 */
export function appStates(entries: readonly Entry[]): AppState[] {
  const apps = new Map<string, AppState>();
  for (const entry of entries) {
    const parsed = parseAppKey(entry.key);
    if (!parsed) continue;
    const { group, app: name, what, id } = parsed;
    const app = apps.get(`${group}/${name}`) ?? { group, name, port: 0, instances: [], held: [] };
    apps.set(`${group}/${name}`, app);
    if (what === 'meta_data') {
      app.port = readValue(entry.value, metaShape)?.publish?.port ?? 0;
      continue;
    }
    const instance = readValue(entry.value, instanceShape);
    if (!instance) continue;
    const { node, ipv4, port } = instance;
    const list = what === 'instances' ? app.instances : app.held;
    list.push({ id, node, ipv4, port, leased: entry.lease !== '0' });
  }
  return [...apps.keys()].sort().map((key) => {
    const app = apps.get(key) as AppState;
    return { ...app, held: app.instances.length === 0 ? app.held : [] };
  });
}

/** Those of the keys that are about instances of the node: id `<node>` or `<node>.<n>`. */
export function instanceKeysOf(node: string, candidates: readonly string[]): string[] {
  return candidates.filter((key) => {
    const id = parseAppKey(key)?.id;
    return id === node || (id?.startsWith(`${node}.`) ?? false);
  });
}
