/**
 * EtcdStore over the model: one client of one process. Requests and replies take time, get lost or come twice; a call that got no
 * answer fails after the deadline of the real client although it may have been carried out.
 */
import { Problem } from '../../shared/errors.js';
import { etcdDefaults } from '../../shared/etcd/defaults.js';
import { difference } from '../../shared/etcd/list-watch.js';
import type {
  Change,
  Condition,
  EtcdLease,
  EtcdStore,
  Listing,
  Watch,
  Write,
} from '../../shared/etcd/store.js';
import type { SimEtcd } from './etcd.js';
import type { Network } from './network.js';
import type { SimProcess } from './process.js';
import type { Random, Scheduler } from './scheduler.js';

/** A moment at which a process may be hit: when it is about to ask, or when etcd has done it and the reply is on its way. */
export interface Call {
  client: EtcdClient;
  what: 'get' | 'list' | 'put' | 'delete' | 'transact' | 'grant' | 'revoke' | 'keep-alive';
  /** Keys that it writes. */
  keys: readonly string[];
}

export interface ClientParts {
  process: SimProcess;
  /** How it is called in the network, and in the commits. */
  host: string;
  name: string;
  etcd: SimEtcd;
  network: Network;
  random: Random;
  scheduler: Scheduler;
  beforeCall?(call: Call): void;
  afterCall?(call: Call): void;
}

function unavailable(reason: string): Problem {
  return new Problem('etcd.unavailable', 'etcd has no quorum or does not answer', { reason });
}

export class EtcdClient implements EtcdStore {
  /** What etcd answered to the last listing of each prefix: the checkers compare decisions with it. */
  readonly listings = new Map<string, Listing>();

  constructor(readonly parts: ClientParts) {}

  get(key: string) {
    return this.#call('get', [], () => this.parts.etcd.get(key));
  }

  getPrefix(prefix: string, options?: { keysOnly?: boolean }) {
    return this.#call('list', [], () => {
      const listing = this.parts.etcd.list(prefix, options?.keysOnly);
      this.listings.set(prefix, listing);
      return listing;
    });
  }

  async put(key: string, value: string | Buffer, lease?: string): Promise<void> {
    const { etcd, name, network, scheduler, random } = this.parts;
    const write: Write = { do: 'put', key, value, ...(lease === undefined ? {} : { lease }) };
    const run = () => void etcd.transact([], [write], name);
    await this.#call('put', [key], run);
    // The client repeats a write whose answer did not come: the first one may still be on its way when the second is done.
    if (lease === undefined && network.lost())
      scheduler.after(random.between(0, 2_000), () => {
        if (etcd.quorum) run();
      });
  }

  delete(key: string) {
    const { etcd, name } = this.parts;
    return this.#call('delete', [key], () => {
      const there = etcd.get(key) ? 1 : 0;
      etcd.transact([], [{ do: 'delete', key }], name);
      return there;
    });
  }

  deletePrefix(prefix: string) {
    return this.#call('delete', [prefix], () => this.parts.etcd.deletePrefix(prefix, this.parts.name));
  }

  async compareAndSet(key: string, expected: number, value: string | undefined): Promise<boolean> {
    try {
      const write: Write = value === undefined ? { do: 'delete', key } : { do: 'put', key, value };
      if (await this.transact([{ key, modRevision: expected }], [write])) return true;
    } catch {
      // As the real client: what the key holds now decides.
    }
    const now = await this.get(key);
    return value === undefined ? now === undefined : now?.value.toString() === value;
  }

  transact(conditions: readonly Condition[], writes: readonly Write[]): Promise<boolean> {
    const { etcd, name } = this.parts;
    const keys = writes.map(({ key }) => key);
    return this.#call('transact', keys, () => etcd.transact(conditions, writes, name));
  }

  async grant(ttlSeconds: number): Promise<EtcdLease> {
    const { etcd, name, process } = this.parts;
    const id = await this.#call('grant', [], () => etcd.grant(ttlSeconds));
    let held = true;
    let tellLost: () => void = () => {};
    const lost = new Promise<void>((resolve) => {
      tellLost = resolve;
    });
    let lastMs = process.clock.now();
    const keep = () => {
      if (!held) return;
      // etcd3 gives up by itself after twice the time of the lease, by the wall clock.
      if (process.clock.now() - lastMs > 2_000 * ttlSeconds) return end();
      process.after((ttlSeconds * 1_000) / 3, keep);
      this.#call('keep-alive', [], () => etcd.keepAlive(id)).then(
        (there) => {
          if (!there) end();
          lastMs = process.clock.now();
        },
        () => undefined,
      );
    };
    const end = () => {
      held = false;
      tellLost();
    };
    process.after((ttlSeconds * 1_000) / 3, keep);
    return {
      id,
      lost,
      release: () => {
        held = false;
      },
      revoke: async () => {
        held = false;
        await this.#call('revoke', [], () => etcd.revoke(id, name), etcdDefaults.revokeMs).catch(
          () => undefined,
        );
      },
    };
  }

  watchPrefix(prefix: string, onChange: (change: Change) => void): Watch {
    const { process, host, network, scheduler, etcd } = this.parts;
    const known = new Map<string, number>();
    let closed = false;
    let round = 0;
    let endFeed: () => void = () => {};
    let lastAt = 0;
    let markReady: () => void = () => {};
    const ready = new Promise<void>((resolve) => {
      markReady = resolve;
    });
    const deliver = (change: Change) => {
      if (change.entry) known.set(change.key, change.entry.modRevision);
      else known.delete(change.key);
      onChange(change);
    };
    const trouble = () => {
      endFeed();
      round += 1;
      if (!closed) process.after(etcdDefaults.reconnectMinMs, run);
    };
    const run = () => {
      const mine = round;
      // Changes after the listing wait for it.
      let early: Change[] | undefined = [];
      const follow = () => {
        endFeed();
        endFeed = etcd.feed(prefix, (change) => {
          if (network.isCut(host, 'etcd') || network.lost()) return trouble();
          lastAt = Math.max(lastAt, scheduler.now + network.latency());
          process.after(lastAt - scheduler.now, () => {
            if (closed || mine !== round) return;
            if (early) early.push(change);
            else deliver(change);
          });
        });
      };
      const list = () => {
        const listing = etcd.list(prefix);
        if (!closed && mine === round) follow();
        return listing;
      };
      this.#call('list', [], list).then(
        (listing) => {
          if (closed || mine !== round) return;
          const changes = [...difference(known, listing.entries), ...(early ?? [])];
          early = undefined;
          for (const change of changes) deliver(change);
          markReady();
        },
        () => {
          if (mine === round) trouble();
        },
      );
    };
    const forgetCuts = network.onCut((a, b) => {
      if ((a === host && b === 'etcd') || (b === host && a === 'etcd')) trouble();
    });
    const close = () => {
      closed = true;
      endFeed();
      forgetCuts();
    };
    process.atDeath(close);
    run();
    return { ready, close };
  }

  memberStatus(): Promise<{ member: string; leader: string }> {
    return this.#call('get', [], () => ({ member: '1', leader: '1' }));
  }

  close(): void {}

  #call<T>(
    what: Call['what'],
    keys: readonly string[],
    run: () => T,
    limitMs: number = etcdDefaults.callMs,
  ): Promise<T> {
    const { process, scheduler } = this.parts;
    const call: Call = { client: this, what, keys };
    return new Promise<T>((resolve, reject) => {
      if (process.state === 'dead') return;
      this.parts.beforeCall?.(call);
      let ended = false;
      const settle = (act: () => void) => {
        if (ended) return;
        ended = true;
        act();
      };
      const send = () => {
        process.after(limitMs, () => settle(() => reject(unavailable('deadline exceeded'))));
        const arrive = (late: boolean) => {
          if (this.#unreachable()) return this.#retransmit(late, () => arrive(true));
          const answer = this.#answer(run);
          this.parts.afterCall?.(call);
          if (this.parts.network.lost()) return;
          const reply = () =>
            settle(() => ('value' in answer ? resolve(answer.value) : reject(answer.error)));
          const ms = this.#replyMs();
          if (ms === 0) process.deliver(reply);
          else process.after(ms, reply);
        };
        if (!this.parts.network.lost()) scheduler.after(this.parts.network.latency(), () => arrive(false));
      };
      // A process that was stopped just now sends when it goes on.
      process.deliver(send);
    });
  }

  #replyMs(): number {
    const { network } = this.parts;
    return network.lossy > 0 || network.slow > 0 ? network.latency() : 0;
  }

  #unreachable(): boolean {
    const { etcd, network, host } = this.parts;
    return !etcd.quorum || network.isCut(host, 'etcd');
  }

  /** A request that met a cut may still arrive, long after its caller gave up: TCP keeps it for a while. */
  #retransmit(late: boolean, again: () => void): void {
    const { random, scheduler } = this.parts;
    if (random.chance(late ? 0.7 : 0.5)) scheduler.after(random.between(200, 3_000), again);
  }

  #answer<T>(run: () => T): { value: T } | { error: unknown } {
    try {
      return { value: run() };
    } catch (error) {
      return { error };
    }
  }
}
