/**
 * Leader election: whoever creates the leader key under its lease leads. The key's create revision grows with every leadership, so it
 * is the fencing token; every write of a leader is conditional on it, and what a former leader still sends does nothing.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { EtcdLease, EtcdStore } from '../../shared/etcd/store.js';
import { keys } from '../store/keys.js';
import { leaderShape, parseValue } from '../store/shapes.js';
import { rolloutDefaults as defaults } from './defaults.js';
import type { WallClock } from './wall-clock.js';

export interface Leadership {
  /** Fencing token. */
  readonly token: number;
  /** True as soon as it is known to be over. It may be over before: only etcd knows. */
  over(): boolean;
  /** Resolves when it is known to be over. */
  readonly ended: Promise<void>;
}

export interface ElectionParts {
  etcd: EtcdStore;
  controller: string;
  clock: WallClock;
  log: Logger;
}

export class Election {
  #stopped = false;
  #wake: () => void = () => {};
  #lease: EtcdLease | undefined;

  constructor(private readonly parts: ElectionParts) {}

  /** Takes part until stopped; calls `lead` for each leadership and waits for its end before the next. */
  async run(lead: (leadership: Leadership) => Promise<void>): Promise<void> {
    const { etcd, clock, log } = this.parts;
    const watch = etcd.watchPrefix(keys.leader, () => this.#wake());
    while (!this.#stopped) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      try {
        if (await etcd.get(keys.leader)) {
          await Promise.race([woken, clock.sleep(defaults.tickMs)]);
          continue;
        }
        await this.#stand(lead);
      } catch (error) {
        log.warn({ err: error }, 'the election is in trouble; trying again');
        await clock.sleep(defaults.retryMs);
      }
    }
    watch.close();
  }

  /** Gives the leadership back, so that another controller takes over at once. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#lease?.revoke();
  }

  async #stand(lead: (leadership: Leadership) => Promise<void>): Promise<void> {
    const { etcd, controller, clock, log } = this.parts;
    const lease = await etcd.grant(defaults.leaderTtlS);
    this.#lease = lease;
    try {
      const nonce = randomUUID();
      const value = JSON.stringify({ controller, nonce, sinceMs: clock.now() });
      const token = await this.#claim(value, nonce, lease.id);
      if (token === undefined || this.#stopped) return;
      log.info({ token }, 'this controller leads');
      await lead(this.#leadership(token, lease));
      log.info({ token }, 'this controller does not lead any more');
    } finally {
      this.#lease = undefined;
      await lease.revoke();
    }
  }

  /** The token, when the claim was ours. An answer that got lost is looked up: the value names its owner. */
  async #claim(value: string, nonce: string, lease: string): Promise<number | undefined> {
    const { etcd } = this.parts;
    const claim = { do: 'put', key: keys.leader, value, lease } as const;
    await etcd.transact([{ key: keys.leader, createRevision: 0 }], [claim]).catch(() => false);
    const entry = await etcd.get(keys.leader);
    if (!entry) return undefined;
    return parseValue(keys.leader, entry.value, leaderShape).nonce === nonce
      ? entry.createRevision
      : undefined;
  }

  #leadership(token: number, lease: EtcdLease): Leadership {
    const { etcd } = this.parts;
    let over = false;
    const ended = new Promise<void>((resolve) => {
      const end = () => {
        over = true;
        watch.close();
        resolve();
      };
      const watch = etcd.watchPrefix(keys.leader, ({ key, entry }) => {
        if (key === keys.leader && entry?.createRevision !== token) end();
      });
      void lease.lost.then(end);
    });
    return { token, over: () => over || this.#stopped, ended };
  }
}
