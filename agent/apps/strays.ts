/** Which of this node's keys in etcd are of a former life: an app or copy that is not declared any more, or one at another address. Pure. */
import type { Entry } from '../../shared/etcd/store.js';
import { ownInstanceKey } from './keys.js';

function addressOf(text: string): string {
  try {
    const { ipv4, port } = JSON.parse(text) as { ipv4?: unknown; port?: unknown };
    return `${String(ipv4)}:${String(port)}`;
  } catch {
    return '';
  }
}

/**
 * Instance keys that shall not exist, also where only the remembered key of one is there. `declared` has the value of each instance that
 * this node may register; one that is there with the same address is left alone: it may serve, and its verdict comes.
 */
export function strayInstances(
  entries: readonly Entry[],
  node: string,
  declared: ReadonlyMap<string, string>,
): string[] {
  const strays = entries.flatMap(({ key, value }) => {
    const instance = ownInstanceKey(key, node);
    if (instance === undefined) return [];
    const wanted = declared.get(instance);
    const same = wanted !== undefined && addressOf(wanted) === addressOf(value.toString());
    return same ? [] : [instance];
  });
  return [...new Set(strays)];
}
