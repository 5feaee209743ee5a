/** The port to etcd: what controller and agent need of it, and nothing of the client library behind it. */

export interface Entry {
  key: string;
  value: Buffer;
  /** Id of the lease that holds the key, '0' for none. */
  lease: string;
  modRevision: number;
  /** etcd's revision at which the key came to be; another one after it was deleted and put again. */
  createRevision: number;
}

/** What must hold for a transaction. 0 means "absent", for both. */
export type Condition = { key: string; modRevision: number } | { key: string; createRevision: number };

export type Write =
  | { do: 'put'; key: string; value: string | Buffer; lease?: string }
  | { do: 'delete'; key: string };

/** The state of a prefix at one revision of etcd. */
export interface Listing {
  entries: Entry[];
  revision: number;
}

export interface EtcdLease {
  readonly id: string;
  /** Resolves once when the lease is gone or can no longer be kept alive; never rejects. */
  readonly lost: Promise<void>;
  /** Ends the lease and its keys now; resolves also when etcd does not answer. */
  revoke(): Promise<void>;
  /** Stops keeping it alive: it ends by itself after its time. */
  release(): void;
}

/** A change a watch saw; `entry` is undefined for a removed key. */
export interface Change {
  key: string;
  entry: Entry | undefined;
}

export interface Watch {
  /** Resolves when the first listing has been delivered. */
  readonly ready: Promise<void>;
  close(): void;
}

export interface EtcdStore {
  get(key: string): Promise<Entry | undefined>;
  /** All entries whose key starts with the prefix, sorted by key. With `keysOnly` their values are empty. */
  getPrefix(prefix: string, options?: { keysOnly?: boolean }): Promise<Listing>;
  /** Writes a key, under a lease when one is named; without one it is taken off any lease it had. */
  put(key: string, value: string | Buffer, lease?: string): Promise<void>;
  /** Number of keys deleted: 0 or 1. */
  delete(key: string): Promise<number>;
  deletePrefix(prefix: string): Promise<number>;
  /**
   * Writes (or with undefined deletes) the key when its last change is still `expected`, 0 meaning "absent". True also when an
   * answer got lost but the key is as asked, so a value must name its owner.
   */
  compareAndSet(key: string, expected: number, value: string | undefined): Promise<boolean>;
  /**
   * Carries out all writes at once if every condition holds; false when one does not, and then nothing is written. With
   * conditions it is never repeated by itself: when it throws, it may have been carried out or not, and the caller has to read to know.
   * Without any it is repeated like a put.
   */
  transact(conditions: readonly Condition[], writes: readonly Write[]): Promise<boolean>;
  grant(ttlSeconds: number): Promise<EtcdLease>;
  /**
   * Tells every key below the prefix once, and then every change, in order per key. Survives disconnects and compaction by listing
   * again, so several changes of a key may arrive as the last one. `onRevision` is told after the changes it stands for: what was
   * delivered so far is the prefix as of this revision of etcd, unless changes of the same revision follow in the same turn.
   */
  watchPrefix(
    prefix: string,
    onChange: (change: Change) => void,
    onRevision?: (revision: number) => void,
  ): Watch;
  /** The member that answers and the one it believes leads, as ids. */
  memberStatus(): Promise<{ member: string; leader: string }>;
  close(): void;
}

/** Where etcd is and with which certificate to speak to it. Files are PEM. */
export interface EtcdConfig {
  /** e.g. `https://10.0.0.1:2379` */
  endpoints: string[];
  ca: string;
  cert: string;
  key: string;
}
