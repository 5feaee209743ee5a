/** Every etcd key the agent writes; no other file of the agent spells one (DESIGN section 5). */
export const keys = {
  metaData: (group: string, app: string) => `/cluster/${group}/${app}/meta_data`,
  /** `id` is the node's name; one instance of an app per node. */
  instance: (group: string, app: string, id: string) => `/cluster/${group}/${app}/instances/${id}`,
} as const;

/** JSON with sorted keys, as Nix writes it: confd sorts instances by their text, so equal facts must be equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
