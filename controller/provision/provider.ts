/** Where servers come from. Every implementation runs the suite in provider.contract.ts. */

/** Label that says which cluster a thing in the cloud belongs to; what lacks it is never changed or removed. */
export const CLUSTER_LABEL = 'nix-infra/cluster';

export type ServerStatus = 'starting' | 'running' | 'off' | 'deleting' | 'unknown';

export interface Server {
  /** The provider's id, as text. */
  id: string;
  /** The node's name; its identity within the cluster. */
  name: string;
  ipv4: string | null;
  status: ServerStatus;
  labels: Record<string, string>;
  /** Server type; empty where the provider has none. */
  type: string;
  /** Location; empty where the provider has none. */
  location: string;
  /** How to log in where that is not root with the project's key: own servers name a user and a key file. */
  ssh?: { user: string; keyFile: string };
}

export interface ServerSpec {
  name: string;
  type: string;
  location: string;
  /** Name or id, or `label:<selector>` for the newest matching snapshot of the type's architecture. */
  image: string;
  sshKeyName: string;
  placementGroup?: string;
  /** Must contain CLUSTER_LABEL. */
  labels: Record<string, string>;
  /** cloud-init user data; at most 32 KiB. */
  userData: string;
}

export interface Provider {
  readonly name: 'hetzner' | 'self-hosted';
  /** The servers of the cluster, by name. */
  listServers(cluster: string): Promise<Server[]>;
  /** Makes the public key known under the name; one of this cluster with other content is replaced. */
  ensureSshKey(name: string, publicKey: string, cluster: string): Promise<void>;
  /** Makes a placement group that spreads its servers over hosts. */
  ensurePlacementGroup(name: string, cluster: string): Promise<void>;
  /**
   * Makes the server, or returns the cluster's server of that name. Does not wait for it to run. Throws `provider.rejected`
   * when another cluster has the name, `provider.unavailable` and `provider.quota` when the cloud has none to give.
   */
  createServer(spec: ServerSpec): Promise<Server>;
  /** Waits until all run; starts those that are off. Throws `node.unknown`, or `provider.action-failed` when one does not start. */
  waitRunning(names: readonly string[], cluster: string): Promise<Server[]>;
  /** Removes the servers and waits until they are gone. Those that are absent, or another cluster's, are left alone. */
  deleteServers(names: readonly string[], cluster: string): Promise<void>;
  /** Removes the cluster's key of that name, if there is one. */
  removeSshKey(name: string, cluster: string): Promise<void>;
  /** Removes the cluster's placement group of that name, if there is one. */
  removePlacementGroup(name: string, cluster: string): Promise<void>;
}

/** Servers in the order of their names. */
export function byName(servers: readonly Server[]): Server[] {
  return [...servers].sort((a, b) => (a.name < b.name ? -1 : 1));
}
