/** What the cluster knows of its nodes and apps, read from and written to etcd. */
import { isIPv4 } from 'node:net';
import type { AppState, NodeState } from '../../proto/gen/nixinfra/v1/operator.js';
import { Problem } from '../../shared/errors.js';
import type { Entry, EtcdStore } from '../../shared/etcd/store.js';
import { serviceGroups } from '../../shared/names.js';
import { appStates, instanceKeysOf, type NodeFacts, nodeState, type Ordered } from './facts.js';
import { keys, parseNodeKey } from './keys.js';
import { releaseOverlay } from './overlay.js';
import {
  desiredShape,
  meshShape,
  type NodeStatus,
  nodeShape,
  type PrepareValue,
  parseStatus,
  parseValue,
  prepareShape,
  readValue,
  sessionShape,
} from './shapes.js';

/** Adds one of a node's entries to what is known of it. */
export function withEntry(facts: NodeFacts, what: string, entry: Entry | undefined): NodeFacts {
  const { key, value } = entry ?? { key: '', value: Buffer.alloc(0) };
  switch (what) {
    case 'registration':
      return { ...facts, registration: entry && parseValue(key, value, nodeShape) };
    case 'desired':
      return {
        ...facts,
        desired: entry && { ...parseValue(key, value, desiredShape), change: entry.modRevision },
      };
    case 'status':
      return { ...facts, status: entry && parseStatus(key, value) };
    case 'mesh':
      return { ...facts, mesh: entry && readValue(value, meshShape) };
    case 'session':
      return { ...facts, session: entry && parseValue(key, value, sessionShape) };
    default:
      return facts;
  }
}

export class NodeStore {
  constructor(private readonly etcd: EtcdStore) {}

  /** Every node that is registered or that we hold anything of, sorted by name. */
  async all(): Promise<NodeState[]> {
    const [registered, ours] = await Promise.all([
      this.etcd.getPrefix(keys.clusterNodes),
      this.etcd.getPrefix(keys.nodes),
    ]);
    const facts = new Map<string, NodeFacts>();
    const add = (name: string, what: string, entry: Entry) =>
      facts.set(name, withEntry(facts.get(name) ?? { name }, what, entry));
    for (const entry of registered.entries)
      add(entry.key.slice(keys.clusterNodes.length), 'registration', entry);
    for (const entry of ours.entries) {
      const parsed = parseNodeKey(entry.key);
      if (parsed) add(parsed.node, parsed.what, entry);
    }
    return [...facts.values()].map(nodeState).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async apps(): Promise<AppState[]> {
    const groups = await Promise.all(serviceGroups.map((group) => this.etcd.getPrefix(keys.group(group))));
    return appStates(groups.flatMap((group) => group.entries));
  }

  async register(node: string, ipv4: string, services: readonly string[]): Promise<void> {
    if (!isIPv4(ipv4)) throw new Problem('usage', `"${ipv4.slice(0, 40)}" is not an IPv4 address`, { node });
    const known: readonly string[] = serviceGroups;
    const wrong = services.find((group) => group !== '' && !known.includes(group));
    if (wrong !== undefined)
      throw new Problem('usage', `"${wrong.slice(0, 40)}" is not a service group`, { node });
    await this.etcd.put(keys.clusterNode(node), JSON.stringify({ name: node, ipv4, services }));
  }

  /** Deletes every key of the node; how many there were. */
  async remove(node: string): Promise<number> {
    const groups = await Promise.all(
      serviceGroups.map((group) => this.etcd.getPrefix(keys.group(group), { keysOnly: true })),
    );
    const instances = instanceKeysOf(
      node,
      groups.flatMap((group) => group.entries).map((entry) => entry.key),
    );
    let deleted = await releaseOverlay(this.etcd, node);
    for (const key of [keys.clusterNode(node), ...instances]) deleted += await this.etcd.delete(key);
    return deleted + (await this.etcd.deletePrefix(keys.node(node)));
  }

  /** What the node shall run; `change` is the etcd revision of the last write. */
  async desired(node: string): Promise<Ordered | undefined> {
    const key = keys.desired(node);
    const entry = await this.etcd.get(key);
    return entry && { ...parseValue(key, entry.value, desiredShape), change: entry.modRevision };
  }

  /** What the node shall build without running it. */
  async prepare(node: string): Promise<PrepareValue | undefined> {
    const key = keys.prepare(node);
    const entry = await this.etcd.get(key);
    return entry && parseValue(key, entry.value, prepareShape);
  }

  async status(node: string): Promise<NodeStatus | undefined> {
    const key = keys.status(node);
    const entry = await this.etcd.get(key);
    return entry && parseStatus(key, entry.value);
  }
}
