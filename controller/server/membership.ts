/** Pure: whether a member of etcd may leave or join, from who the members are and who of them is healthy. */
import { Problem } from '../../shared/errors.js';
import type { Member } from '../../shared/etcd/admin.js';

export interface MemberHealth extends Member {
  healthy: boolean;
}

/** The member of a node: by its name, or announced at `peerUrl`, where the node is registered, and never run. */
export function memberOf<M extends Member>(
  members: readonly M[],
  node: string,
  peerUrl: string | undefined,
): M | undefined {
  const announced = ({ name, peerUrls }: Member) =>
    name === '' && peerUrl !== undefined && peerUrls.includes(peerUrl);
  return members.find(({ name }) => name === node) ?? members.find(announced);
}

export function peerUrlOf(ipv4: string): string {
  return `https://${ipv4}:2380`;
}

/** Why the member may not be removed: without it, etcd would have no quorum, or it is needed as far as anybody can tell. */
export function removalRefusal(
  member: Member,
  members: readonly MemberHealth[],
  force: boolean,
): Problem | undefined {
  const others = members.filter(({ id }) => id !== member.id);
  const healthy = others.filter((other) => other.healthy);
  const majority = Math.floor(others.length / 2) + 1;
  const node = member.name;
  if (healthy.length < majority) {
    const sick = others.filter((other) => !other.healthy).map(({ name }) => name || 'one that never ran');
    return new Problem('etcd.quorum', `etcd would be without a quorum when ${node} leaves it`, {
      ...(node === '' ? {} : { node }),
      reason: `${healthy.length} of ${others.length} other members are healthy${sick.length > 0 ? `; not: ${sick.join(', ')}` : ''}`,
    });
  }
  if (!force && members.some(({ id, healthy: well }) => id === member.id && well))
    return new Problem('node.alive', `${node} is a healthy member of etcd`, { node });
  return undefined;
}

/** Every member as etcd's --initial-cluster names it; `node` is the name of the one that is to start at `peerUrl`. */
export function initialCluster(members: readonly Member[], node: string, peerUrl: string): string {
  return members
    .flatMap(({ name, peerUrls }) =>
      peerUrls.map((url) => `${name || (url === peerUrl ? node : 'unstarted')}=${url}`),
    )
    .join(',');
}
