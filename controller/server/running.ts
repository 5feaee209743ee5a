/** What every node runs now, as its agent told last, and what it was ordered. */
import type { EtcdStore } from '../../shared/etcd/store.js';
import { keys, parseNodeKey } from '../store/keys.js';
import { desiredShape, parseStatus, parseValue } from '../store/shapes.js';

export interface Running {
  connected: boolean;
  /** Empty when the node does not know: nothing was applied yet, or somebody switched by hand. */
  revision: string;
  system: string;
  /** The order that its desired key holds, and the key's last change; empty and 0 without one. */
  order: string;
  desiredChange: number;
  /** It has not ended that order yet. */
  open: boolean;
}

const nothing: Running = {
  connected: false,
  revision: '',
  system: '',
  order: '',
  desiredChange: 0,
  open: false,
};

/** By node name. Throws `etcd.invalid` for a value that cannot be read: a plan must not be made on a guess. */
export async function readRunning(etcd: EtcdStore): Promise<Map<string, Running>> {
  const running = new Map<string, Running>();
  const ended = new Map<string, string>();
  for (const { key, value, modRevision } of (await etcd.getPrefix(keys.nodes)).entries) {
    const parsed = parseNodeKey(key);
    if (!parsed) continue;
    const known = running.get(parsed.node) ?? nothing;
    if (parsed.what === 'session') running.set(parsed.node, { ...known, connected: true });
    if (parsed.what === 'desired') {
      const { order } = parseValue(key, value, desiredShape);
      running.set(parsed.node, { ...known, order, desiredChange: modRevision });
    }
    if (parsed.what === 'status') {
      const { hello, health, result } = parseStatus(key, value);
      ended.set(parsed.node, result?.order ?? '');
      const { revision, system } = health ?? hello ?? nothing;
      running.set(parsed.node, { ...known, revision, system });
    }
  }
  for (const [node, known] of running)
    running.set(node, { ...known, open: known.order !== '' && known.order !== ended.get(node) });
  return running;
}
