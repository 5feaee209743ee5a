/** Pure: whether the cluster's load balancers have taken notice of a change of instances, and which have not. */
import { BarrierKind, type InstanceRef, type MeshServer } from '../../proto/gen/nixinfra/v1/agent.js';

/** What is known of one node's part in the mesh. */
export interface MeshNode {
  name: string;
  /** Service groups that its haproxy serves. */
  services: readonly string[];
  /** Its agent has been gone for so long that it cannot be waited for; its haproxy's own checks cover it. */
  away: boolean;
  /** Its haproxy was read at least once, so it has one. */
  balances: boolean;
  /** What its haproxy serves; undefined while that is not known, e.g. before the agent has told it on a new connection. */
  servers: readonly MeshServer[] | undefined;
}

/** Whether nodes can be waited for to have reached this; an agent of another version may ask for something else. */
export function isKnownKind(kind: BarrierKind): boolean {
  return kind === BarrierKind.BARRIER_KIND_DROPPED || kind === BarrierKind.BARRIER_KIND_SERVED;
}

function hasNoticed(kind: BarrierKind, instance: InstanceRef, servers: readonly MeshServer[]): boolean {
  // An id alone is not enough: every app of a node has the node's name as its id.
  const same = servers.filter(
    ({ server, address }) => server === instance.id && address === instance.address,
  );
  return kind === BarrierKind.BARRIER_KIND_DROPPED
    ? same.length === 0
    : same.length > 0 && same.every((server) => server.up);
}

/** Names of the nodes that have not taken notice of each of the instances yet, sorted. */
export function waitingFor(
  kind: BarrierKind,
  instances: readonly InstanceRef[],
  nodes: readonly MeshNode[],
): string[] {
  return nodes
    .filter(({ services, away, balances, servers }) => {
      if (away || !balances) return false;
      const subscribed = instances.filter((instance) => services.includes(instance.group));
      if (subscribed.length === 0) return false;
      return servers === undefined || !subscribed.every((instance) => hasNoticed(kind, instance, servers));
    })
    .map((node) => node.name)
    .sort();
}
