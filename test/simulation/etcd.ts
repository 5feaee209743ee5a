/** etcd in memory: revisions, leases, transactions and watches as the real one has them (test/integration/etcd-contract.test.ts). */
import { Problem } from '../../shared/errors.js';
import type { Change, Condition, Entry, Listing, Write } from '../../shared/etcd/store.js';

/** One revision of etcd. */
export interface Commit {
  revision: number;
  /** The client that wrote, `lease` where a lease ended. */
  by: string;
  changes: readonly (Change & { before: Entry | undefined })[];
}

export interface EtcdTime {
  now(): number;
  after(ms: number, run: () => void): void;
  /** How late a lease is taken away, milliseconds. */
  lateness(): number;
}

interface Lease {
  ttlMs: number;
  endsAt: number;
  keys: Set<string>;
}

interface Feed {
  prefix: string;
  tell: (change: Change) => void;
}

export class SimEtcd {
  revision = 1;
  /** Without quorum nothing is answered and no lease ends. */
  quorum = true;
  readonly #entries = new Map<string, Entry>();
  readonly #leases = new Map<string, Lease>();
  readonly #feeds = new Set<Feed>();
  #leaseSeq = 0;

  constructor(
    private readonly time: EtcdTime,
    private readonly onCommit: (commit: Commit) => void,
  ) {}

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  list(prefix: string, keysOnly = false): Listing {
    const found: Entry[] = [];
    for (const entry of this.#entries.values())
      if (entry.key.startsWith(prefix)) found.push(keysOnly ? { ...entry, value: Buffer.alloc(0) } : entry);
    found.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { entries: found, revision: this.revision };
  }

  /** Throws for an unknown lease, and then nothing was written. */
  transact(conditions: readonly Condition[], writes: readonly Write[], by: string): boolean {
    if (!conditions.every((condition) => this.#holds(condition))) return false;
    for (const write of writes) {
      if (write.do === 'put' && write.lease && !this.#leases.has(write.lease))
        throw new Problem('etcd.unavailable', 'etcd refused', { reason: 'requested lease not found' });
    }
    this.#commit(writes, by);
    return true;
  }

  /** Number of keys deleted. */
  deletePrefix(prefix: string, by: string): number {
    const keys = this.list(prefix).entries.map(({ key }) => key);
    this.#commit(
      keys.map((key): Write => ({ do: 'delete', key })),
      by,
    );
    return keys.length;
  }

  grant(ttlSeconds: number): string {
    const id = String(++this.#leaseSeq);
    const ttlMs = ttlSeconds * 1_000;
    this.#leases.set(id, { ttlMs, endsAt: this.time.now() + ttlMs, keys: new Set() });
    this.#expect(id);
    return id;
  }

  /** False when the lease is gone. */
  keepAlive(id: string): boolean {
    const lease = this.#leases.get(id);
    if (lease) lease.endsAt = this.time.now() + lease.ttlMs;
    return lease !== undefined;
  }

  revoke(id: string, by: string): void {
    const lease = this.#leases.get(id);
    if (!lease) return;
    this.#leases.delete(id);
    const keys = [...lease.keys].sort();
    this.#commit(
      keys.map((key): Write => ({ do: 'delete', key })),
      by,
    );
  }

  /** A new leader of etcd gives every lease its whole time again. */
  elected(): void {
    this.quorum = true;
    for (const [id, lease] of this.#leases) {
      lease.endsAt = this.time.now() + lease.ttlMs;
      this.#expect(id);
    }
  }

  /** Every change from the next revision on; returns how to end it. */
  feed(prefix: string, tell: (change: Change) => void): () => void {
    const feed = { prefix, tell };
    this.#feeds.add(feed);
    return () => this.#feeds.delete(feed);
  }

  #holds(condition: Condition): boolean {
    const entry = this.#entries.get(condition.key);
    return 'modRevision' in condition
      ? (entry?.modRevision ?? 0) === condition.modRevision
      : (entry?.createRevision ?? 0) === condition.createRevision;
  }

  #commit(writes: readonly Write[], by: string): void {
    const effective = writes.filter((write) => write.do === 'put' || this.#entries.has(write.key));
    if (effective.length === 0) return;
    this.revision += 1;
    const changes = effective.map((write) => {
      const before = this.#entries.get(write.key);
      return { key: write.key, entry: this.#apply(write, before), before };
    });
    this.onCommit({ revision: this.revision, by, changes });
    for (const { key, entry } of changes)
      for (const feed of this.#feeds) if (key.startsWith(feed.prefix)) feed.tell({ key, entry });
  }

  #apply(write: Write, before: Entry | undefined): Entry | undefined {
    const { key } = write;
    if (before) this.#leases.get(before.lease)?.keys.delete(key);
    if (write.do === 'delete') {
      this.#entries.delete(key);
      return undefined;
    }
    const entry: Entry = {
      key,
      value: Buffer.from(write.value),
      lease: write.lease ?? '0',
      modRevision: this.revision,
      createRevision: before?.createRevision ?? this.revision,
    };
    this.#leases.get(entry.lease)?.keys.add(key);
    this.#entries.set(key, entry);
    return entry;
  }

  #expect(id: string): void {
    const lease = this.#leases.get(id);
    if (!lease) return;
    this.time.after(lease.endsAt - this.time.now() + this.time.lateness(), () => this.#endIfDue(id));
  }

  #endIfDue(id: string): void {
    const lease = this.#leases.get(id);
    if (!lease || !this.quorum) return;
    if (lease.endsAt <= this.time.now()) this.revoke(id, 'lease');
    else this.#expect(id);
  }
}
