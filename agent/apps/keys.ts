/** Every etcd key the agent writes; no other file of the agent spells one (DESIGN section 5). */
import { serviceGroups } from '../../shared/names.js';

export const keys = {
  /** Everything of all apps. */
  apps: '/cluster/',
  metaData: (group: string, app: string) => `/cluster/${group}/${app}/meta_data`,
  /** `id` as instanceId makes it. */
  instance: (group: string, app: string, id: string) => `/cluster/${group}/${app}/instances/${id}`,
} as const;

/** Id of an instance: the node's name, with `.<copy>` where the app is declared with copies. */
export function instanceId(node: string, copy: string): string {
  return copy === '' ? node : `${node}.${copy}`;
}

/**
 * The key that remembers an instance without a lease: who left deliberately deletes both, whose lease ended leaves this one. So an app
 * with remembered instances and no others has lost its registry, not its instances.
 */
export function lastKeyOf(instanceKey: string): string {
  return instanceKey.replace('/instances/', '/last/');
}

/** The instance key that a key of this node's own instances belongs to (also of a remembered one); undefined for every other key. */
export function ownInstanceKey(key: string, node: string): string | undefined {
  const match = /^\/cluster\/([^/]+)\/([^/]+)\/(?:instances|last)\/([^/.]+)(\.[^/]*)?$/.exec(key);
  if (!match) return undefined;
  const [, group = '', app = '', owner = '', rest = ''] = match;
  // A node name holds no dot, so everything behind the first one is a copy's name.
  const ours = owner === node && serviceGroups.some((one) => one === group);
  return ours ? keys.instance(group, app, owner + rest) : undefined;
}

/** JSON with sorted keys, as Nix writes it: confd sorts instances by their text, so equal facts must be equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
