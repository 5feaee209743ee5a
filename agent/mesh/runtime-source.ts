/** What etcd says of this node's routes: followed by a watch, and read afresh where a watch may be behind. */
import type { Entry, EtcdStore, Watch } from '../../shared/etcd/store.js';
import type { Subscriber } from './routes.js';
import { clusterPrefix, type Expected, readExpected } from './runtime-routes.js';

export interface RuntimeSourceOptions {
  subscriber: Subscriber;
  etcd: Pick<EtcdStore, 'watchPrefix' | 'getPrefix'>;
  onChange(): void;
}

export class RuntimeSource {
  readonly #entries = new Map<string, Entry>();
  #revision = 0;
  #current: Expected | undefined;
  #watch: Watch | undefined;
  #due = false;

  constructor(private readonly options: RuntimeSourceOptions) {}

  start(): void {
    this.#watch ??= this.options.etcd.watchPrefix(
      clusterPrefix,
      ({ key, entry }) => {
        if (entry) this.#entries.set(key, entry);
        else this.#entries.delete(key);
      },
      (revision) => this.#onRevision(revision),
    );
  }

  stop(): void {
    this.#watch?.close();
    this.#watch = undefined;
    // A watch begins with everything that is there.
    this.#entries.clear();
  }

  /** What the watch has told so far; undefined before the first listing. */
  current(): Expected | undefined {
    return this.#current;
  }

  /** The routes as etcd's majority has them now. Rejects when it does not answer. */
  async fresh(): Promise<Expected> {
    const { entries, revision } = await this.options.etcd.getPrefix(clusterPrefix);
    return readExpected(entries, this.options.subscriber, revision);
  }

  /** All changes of one revision arrive in one turn: half of a transaction is not a state to act on. */
  #onRevision(revision: number): void {
    // Not the larger one: an etcd that was restored counts from an earlier revision.
    this.#revision = revision;
    if (this.#due) return;
    this.#due = true;
    setImmediate(() => {
      this.#due = false;
      if (!this.#watch) return;
      this.#current = readExpected([...this.#entries.values()], this.options.subscriber, this.#revision);
      this.options.onChange();
    });
  }
}
