/** The mesh as etcd tells it: which nodes balance, whether their agents are here, and what their haproxy serves. */
import type { Logger } from 'pino';
import { Mesh } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Entry, EtcdStore, Watch } from '../../shared/etcd/store.js';
import { controllerDefaults as defaults } from '../defaults.js';
import { keys, parseNodeKey } from '../store/keys.js';
import { nodeShape, parseValue } from '../store/shapes.js';
import type { MeshNode } from './barrier.js';

interface Facts {
  services: readonly string[];
  /** etcd revision of the last write of the session key; undefined while there is no session. */
  session: number | undefined;
  /** Runs from the end of a session until its node counts as away. */
  leaving: NodeJS.Timeout | undefined;
  mesh: { value: Mesh; change: number } | undefined;
}

function known(facts: Facts): Mesh | undefined {
  // What a former session told may be over: the agent tells it anew on every connection, and then it is the later write.
  if (facts.session === undefined || facts.mesh === undefined || facts.mesh.change < facts.session)
    return undefined;
  return facts.mesh.value.readable ? facts.mesh.value : undefined;
}

export class MeshView {
  /** Resolves when everything that was in etcd at the start is in the view. */
  readonly ready: Promise<void>;
  readonly #facts = new Map<string, Facts>();
  readonly #listeners = new Set<() => void>();
  readonly #watches: Watch[];

  constructor(
    etcd: EtcdStore,
    private readonly log: Logger,
  ) {
    this.#watches = [
      etcd.watchPrefix(keys.clusterNodes, ({ key, entry }) =>
        this.#learn(key.slice(keys.clusterNodes.length), 'registration', entry),
      ),
      etcd.watchPrefix(keys.nodes, ({ key, entry }) => {
        const parsed = parseNodeKey(key);
        if (parsed) this.#learn(parsed.node, parsed.what, entry);
      }),
    ];
    this.ready = Promise.all(this.#watches.map((watch) => watch.ready)).then(() => undefined);
  }

  nodes(): MeshNode[] {
    return [...this.#facts].map(([name, facts]) => ({
      name,
      services: facts.services,
      away: facts.session === undefined && facts.leaving === undefined,
      // The key is written only when a haproxy was read.
      balances: facts.mesh !== undefined,
      servers: known(facts)?.servers,
    }));
  }

  /** Calls the listener after every change until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
    for (const { leaving } of this.#facts.values()) clearTimeout(leaving);
    this.#listeners.clear();
  }

  #of(node: string): Facts {
    let facts = this.#facts.get(node);
    if (!facts) {
      facts = { services: [], session: undefined, leaving: undefined, mesh: undefined };
      this.#facts.set(node, facts);
      // A node without a session may have lost it a moment ago, with the controller that this one stands in for.
      this.#leave(facts);
    }
    return facts;
  }

  #learn(node: string, what: string, entry: Entry | undefined): void {
    const facts = this.#of(node);
    try {
      if (what === 'registration') {
        facts.services = entry ? parseValue(entry.key, entry.value, nodeShape).services : [];
      } else if (what === 'mesh') {
        facts.mesh = entry && {
          value: Mesh.fromJSON(JSON.parse(entry.value.toString())),
          change: entry.modRevision,
        };
      } else if (what === 'session') {
        if (facts.session !== undefined && !entry) this.#leave(facts);
        else if (entry) this.#stay(facts);
        facts.session = entry?.modRevision;
      } else {
        return;
      }
    } catch (error) {
      this.log.warn({ node, err: error }, 'a value of the mesh is not readable');
      return;
    }
    this.#tell();
  }

  #leave(facts: Facts): void {
    clearTimeout(facts.leaving);
    facts.leaving = setTimeout(() => {
      facts.leaving = undefined;
      this.#tell();
    }, defaults.awayGraceMs);
    // The process may end meanwhile.
    facts.leaving.unref();
  }

  #stay(facts: Facts): void {
    clearTimeout(facts.leaving);
    facts.leaving = undefined;
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
