/**
 * Keeps a set of keys in etcd under one lease. Level-triggered: one loop compares what is with what should be and repairs the
 * difference, so an external delete, an overwrite, a lost put, a lost lease and a restart of etcd are all the same case.
 */
import { etcdDefaults as defaults } from './defaults.js';
import type { Entry, EtcdLease, EtcdStore } from './store.js';

export type Repair =
  | { do: 'put'; key: string; value: string }
  | { do: 'delete'; key: string; modRevision: number }
  | { do: 'yield'; key: string };

export interface Rules {
  /** True when the other's value shall win: the key is then given up instead of overwritten. */
  yieldsTo?(key: string, otherValue: string): boolean;
  /** Whether a key that shall not exist is deleted although it hangs on another lease (a former run of ours). */
  deletesForeign: boolean;
}

/** What makes one key right; undefined when it is. `wanted` undefined means the key shall not exist. */
export function repairOf(
  key: string,
  wanted: string | undefined,
  found: Entry | undefined,
  lease: string,
  rules: Rules,
): Repair | undefined {
  const ours = found?.lease === lease;
  if (wanted === undefined) {
    return found && (ours || rules.deletesForeign)
      ? { do: 'delete', key, modRevision: found.modRevision }
      : undefined;
  }
  const value = found?.value.toString();
  if (found && !ours && value !== undefined && value !== wanted && rules.yieldsTo?.(key, value))
    return { do: 'yield', key };
  return ours && value === wanted ? undefined : { do: 'put', key, value: wanted };
}

export interface LeasedKeysOptions extends Rules {
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
        await this.#hold(lease);
        if ((this.#stopped as string) === 'release') lease.release();
        else await lease.revoke();
      } catch (error) {
        lease?.release();
        // Its keys move to the next lease with the next put; ending the old one early only spares etcd the wait.
        this.#registered.clear();
        this.options.onTrouble?.(error);
        this.#rearm();
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
      await this.#verify(lease.id);
      if (lost) throw new Error('the lease was lost');
      const verify = this.options.verifyMs ?? defaults.verifyMs;
      if (this.#stopped === 'no')
        await Promise.race([gone, this.#sleep(verify * (0.8 + Math.random() * 0.4))]);
      if (lost) throw new Error('the lease was lost');
    }
  }

  async #verify(lease: string): Promise<void> {
    for (const [key, wanted] of [...this.#wanted]) {
      const repair = repairOf(key, wanted, await this.store.get(key), lease, this.options);
      if (repair?.do === 'put') await this.store.put(key, repair.value, lease);
      // A key that somebody changed in between stays dirty: the next round looks again.
      if (repair?.do === 'delete' && !(await this.store.compareAndSet(key, repair.modRevision, undefined)))
        continue;
      if (this.#wanted.get(key) !== wanted) continue; // changed meanwhile; the next round sees it
      if (repair?.do === 'yield' || wanted === undefined) {
        this.#wanted.delete(key);
        this.#registered.delete(key);
      } else {
        this.#registered.add(key);
      }
      this.#dirty.delete(key);
      if (repair?.do === 'yield') this.options.onYield?.(key);
    }
    const ready = this.#waiters.filter((waiter) => !waiter.keys.some((key) => this.#dirty.has(key)));
    this.#waiters = this.#waiters.filter((waiter) => !ready.includes(waiter));
    for (const waiter of ready) waiter.resolve();
  }
}
