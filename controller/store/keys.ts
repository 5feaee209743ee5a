/** Every etcd key the controller touches. No other file of the controller spells one (DESIGN section 5). */

export const keys = {
  /** Registration of a node, as the predecessor writes it. */
  clusterNode: (node: string) => `/cluster/nodes/${node}`,
  clusterNodes: '/cluster/nodes/',
  /** Everything of the apps of a group. */
  group: (group: string) => `/cluster/${group}/`,
  /** Everything we keep about a node. */
  node: (node: string) => `/nix-infra/nodes/${node}/`,
  nodes: '/nix-infra/nodes/',
  desired: (node: string) => `/nix-infra/nodes/${node}/desired`,
  /** What the node shall build without running it: `{request, revision}`. */
  prepare: (node: string) => `/nix-infra/nodes/${node}/prepare`,
  /** What came of it, protobuf JSON of Prepared. */
  prepared: (node: string) => `/nix-infra/nodes/${node}/prepared`,
  /** What its haproxy serves, protobuf JSON of Mesh. */
  mesh: (node: string) => `/nix-infra/nodes/${node}/mesh`,
  status: (node: string) => `/nix-infra/nodes/${node}/status`,
  session: (node: string) => `/nix-infra/nodes/${node}/session`,
  /** The subnet reserved for a node, so that it can be given back. */
  overlay: (node: string) => `/nix-infra/nodes/${node}/overlay`,
  /** The controller that leads, leased; its create revision is the fencing token. */
  leader: '/nix-infra/leader',
  /** A number that every restore of etcd raises; absent: 0. Orders carry it, because revisions go back with a restore. */
  epoch: '/nix-infra/epoch',
  /** The rollout that runs, with who and why; there while one runs. */
  lock: '/nix-infra/lock',
  rollout: (id: string) => `/nix-infra/rollouts/${id}`,
  rollouts: '/nix-infra/rollouts/',
  revision: (revision: string) => `/nix-infra/revisions/${revision}`,
  blob: (sha256: string) => `/nix-infra/blobs/${sha256}`,
  blobs: '/nix-infra/blobs/',
  /** flannel's leases. */
  subnets: '/coreos.com/network/subnets/',
  subnet: (network: string) => `/coreos.com/network/subnets/${network}-24`,
} as const;

/** Reads `/nix-infra/nodes/<node>/<what>`; undefined for another shape. */
export function parseNodeKey(key: string): { node: string; what: string } | undefined {
  const match = /^\/nix-infra\/nodes\/([^/]+)\/([^/]+)$/.exec(key);
  return match ? { node: match[1] as string, what: match[2] as string } : undefined;
}

export interface AppKey {
  group: string;
  app: string;
  what: 'meta_data' | 'instances' | 'last';
  /** Of the instance; empty for meta_data. */
  id: string;
}

/**
 * Reads `/cluster/<group>/<app>/meta_data`, `…/instances/<id>` and `…/last/<id>` (where an instance was seen last, without a lease);
 * undefined for another shape.
 */
export function parseAppKey(key: string): AppKey | undefined {
  const match = /^\/cluster\/([^/]+)\/([^/]+)\/(?:(meta_data)|(instances|last)\/([^/]+))$/.exec(key);
  if (!match) return undefined;
  const [, group = '', app = '', meta, what, id = ''] = match;
  return { group, app, what: (meta ?? what) as AppKey['what'], id };
}
