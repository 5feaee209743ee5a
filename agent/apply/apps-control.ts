/** What applying needs of the apps on this node. One copy of an app. */
export interface DeclaredApp {
  /** `group/name`; all copies of an app have the same. */
  id: string;
  /** Of the instance in the mesh: `<node>`, or `<node>.<n>` where there are copies. */
  instance: string;
  group: string;
  name: string;
  unit: string;
  /** ipv4:port */
  address: string;
}

export interface AppsControl {
  declared(): DeclaredApp[];
  /** Takes the instances out of the mesh and keeps them out. False when etcd has not confirmed in time. */
  hold(ids: readonly string[]): Promise<boolean>;
  /** Lets them in again, as they are. */
  release(): void;
  /** Reads the declarations again; those that are held prove themselves anew. */
  renew(): Promise<void>;
  /** Ids that are not healthy now, and of these the ones that will not become so by waiting. */
  unhealthy(): { coming: string[]; lost: string[] };
  /** Longest start grace of the declared apps, milliseconds. */
  longestGraceMs(): number;
  /** False when etcd does not hold the registrations of the healthy ones among these yet. */
  registered(ids: readonly string[]): boolean;
}
