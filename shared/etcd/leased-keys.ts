/**
 * Keeps a set of keys in etcd under one lease. Level-triggered: one loop compares what is with what should be and repairs the
 * difference, so an external delete, an overwrite, a lost put, a lost lease and a restart of etcd are all the same case.
 */
import { etcdDefaults as defaults } from './defaults.js';
import { isDenied } from './denied.js';
import { type Rules, repairOf, twinWrite } from './key-repair.js';
import type { EtcdLease, EtcdStore, Write } from './store.js';

export interface LeasedKeysOptions extends Rules {
  /**
   * Name of a second key that is written and deleted with the first one, in one transaction, but hangs on no lease: it stays when the
   * lease ends. Only for keys that nobody else may write, as they are deleted whatever they hold.
   */
  twinOf?(key: string): string;
  /** Called when a key was given up to somebody else. */
  onYield?(key: string): void;
  /** Told about each failure and recovery, for the log. */
  onTrouble?(error: unknown): void;
  ttlSeconds?: number;
  verifyMs?: number;
}

export class LeasedKeys {
  readonly #wanted = new Map<string, string | undefined>();
  readonly #done: Promise<void>;
  #registered = new Set<string>();
  #stopped: 'no' | 'revoke' | 'release' = 'no';
  #wake: () => void = () => {};
  #woken: Promise<void>;
  #dirty = new Set<string>();
  #waiters: { keys: string[]; resolve: () => void }[] = [];

  constructor(
    private readonly store: EtcdStore,
    private readonly options: LeasedKeysOptions,
  ) {
    this.#woken = this.#nextWake();
    this.#done = this.#run();
  }

  /** The key shall hold this value; undefined: it shall not exist. Takes effect at once. */
  set(key: string, value: string | undefined): void {
    if (this.#wanted.has(key) && this.#wanted.get(key) === value) return;
    this.#wanted.set(key, value);
    this.#dirty.add(key);
    this.#wake();
  }

  /** True while the key was last seen in etcd under our lease. */
  isRegistered(key: string): boolean {
    return this.#registered.has(key);
  }

  /** Resolves true when etcd holds what these keys shall hold, false when that took longer. */
  async settled(keys: readonly string[], timeoutMs: number): Promise<boolean> {
    const pending = () => keys.filter((key) => this.#dirty.has(key));
    if (pending().length === 0) return true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), timeoutMs);
    });
    const done = new Promise<boolean>((resolve) => {
      this.#waiters.push({ keys: [...keys], resolve: () => resolve(true) });
    });
    const result = await Promise.race([done, late]);
    clearTimeout(timer);
    return result;
  }

  /**
   * Ends the loop. 'revoke' removes the keys now; 'release' leaves them until the lease ends, for a successor that takes them over
   * (an agent that restarts must not take its apps out of the load balancer).
   */
  async stop(how: 'revoke' | 'release'): Promise<void> {
    this.#stopped = how;
    this.#wake();
    await this.#done;
  }

  #nextWake(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  async #sleep(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const slept = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([slept, this.#woken]);
    clearTimeout(timer);
  }

  #rearm(): void {
    this.#woken = this.#nextWake();
  }

  async #run(): Promise<void> {
    let backoff = defaults.backoffMinMs as number;
    let returns = false;
    while (this.#stopped === 'no') {
      let lease: EtcdLease | undefined;
      try {
        if (this.#wanted.size === 0) {
          await this.#woken;
          this.#rearm();
          continue;
        }
        lease = await this.store.grant(this.options.ttlSeconds ?? defaults.leaseTtlS);
        backoff = defaults.backoffMinMs;
        // An etcd that comes back answers everybody who is waiting at that moment: what follows must not come from all at once.
        if (returns) await this.#sleep(Math.random() * defaults.returnSpreadMs);
        returns = false;
        await this.#hold(lease);
        if ((this.#stopped as string) === 'release') lease.release();
        else await lease.revoke();
      } catch (error) {
        lease?.release();
        // Its keys move to the next lease with the next put; ending the old one early only spares etcd the wait.
        this.#registered.clear();
        this.options.onTrouble?.(error);
        this.#rearm();
        returns = true;
        await this.#sleep(backoff * (0.5 + Math.random()));
        backoff = Math.min(backoff * 2, defaults.backoffMaxMs);
      }
    }
  }

  async #hold(lease: EtcdLease): Promise<void> {
    let lost = false;
    const gone = lease.lost.then(() => {
      lost = true;
    });
    while (this.#stopped === 'no') {
      // Armed before reading, so that a change made while we read is not slept over.
      this.#rearm();
      const quiet = await this.#verify(lease.id);
      if (lost) throw new Error('the lease was lost');
      const verify = quiet ? (this.options.verifyMs ?? defaults.verifyMs) : defaults.backoffMinMs;
      if (this.#stopped === 'no')
        await Promise.race([gone, this.#sleep(verify * (0.8 + Math.random() * 0.4))]);
      if (lost) throw new Error('the lease was lost');
    }
  }

  /** Repairs what is not right, all keys at once. False when a key has to be looked at again soon. */
  async #verify(lease: string): Promise<boolean> {
    const work = [...this.#wanted].map(([key, wanted]) => this.#verifyKey(key, wanted, lease));
    const ends = await Promise.allSettled(work);
    const ready = this.#waiters.filter((waiter) => !waiter.keys.some((key) => this.#dirty.has(key)));
    this.#waiters = this.#waiters.filter((waiter) => !ready.includes(waiter));
    for (const waiter of ready) waiter.resolve();
    const failures = ends.filter((end) => end.status === 'rejected').map((end) => end.reason as unknown);
    // A key that we may not write must not take the others with it; any other failure is etcd's, and then the lease is at stake.
    for (const error of failures) if (!isDenied(error)) throw error;
    const [denied] = failures;
    if (denied) this.options.onTrouble?.(denied);
    return ends.every((end) => end.status === 'rejected' || end.value);
  }

  async #verifyKey(key: string, wanted: string | undefined, lease: string): Promise<boolean> {
    const outcome = await this.#repair(key, wanted, lease);
    // A key that somebody changed in between stays dirty: the next round looks again.
    if (outcome === 'conflict') return false;
    if (!this.#wanted.has(key) || this.#wanted.get(key) !== wanted) return true; // changed meanwhile, which has woken us
    if (outcome === 'yield' || wanted === undefined) {
      this.#wanted.delete(key);
      this.#registered.delete(key);
    } else {
      this.#registered.add(key);
    }
    this.#dirty.delete(key);
    if (outcome === 'yield') this.options.onYield?.(key);
    return true;
  }

  async #repair(
    key: string,
    wanted: string | undefined,
    lease: string,
  ): Promise<'right' | 'conflict' | 'yield'> {
    const twin = this.options.twinOf?.(key);
    const [found, foundTwin] = await Promise.all([this.store.get(key), twin && this.store.get(twin)]);
    const repair = repairOf(key, wanted, found, lease, this.options);
    if (repair?.do === 'yield') return 'yield';
    if (twin === undefined) {
      if (repair?.do === 'put') await this.store.put(key, repair.value, lease);
      if (repair?.do !== 'delete') return 'right';
      return (await this.store.compareAndSet(key, repair.modRevision, undefined)) ? 'right' : 'conflict';
    }
    const writes: Write[] = [];
    if (repair?.do === 'put') writes.push({ ...repair, lease });
    if (repair?.do === 'delete') writes.push({ do: 'delete', key });
    const second = twinWrite(twin, wanted, foundTwin || undefined);
    if (second) writes.push(second);
    if (writes.length > 0) await this.store.transact([], writes);
    return 'right';
  }
}
