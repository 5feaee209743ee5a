/** The leader's loop: reads the journal and the cluster, asks the engine, writes what it decides. It keeps nothing that matters in memory. */
import type { Logger } from 'pino';
import type { EtcdStore, Watch } from '../../shared/etcd/store.js';
import { serviceGroups } from '../../shared/names.js';
import { readEpoch } from '../store/epoch.js';
import { keys } from '../store/keys.js';
import { type NodeOrder, RolloutStore, type Stored } from '../store/rollouts.js';
import { rolloutDefaults as defaults } from './defaults.js';
import type { Leadership } from './election.js';
import { advance, type Order } from './engine.js';
import { isTerminal, type Rollout } from './rollout.js';
import { type View, viewOf } from './view.js';
import type { WallClock } from './wall-clock.js';

export interface RunnerParts {
  etcd: EtcdStore;
  clock: WallClock;
  log: Logger;
}

/** What a step came to: something was written, nothing had to be, or the journal or the leadership is another one by now. */
type Step = 'written' | 'idle' | 'refused';

export class RolloutRunner {
  readonly #store: RolloutStore;
  #wake: () => void = () => {};
  #complained = '';

  constructor(private readonly parts: RunnerParts) {
    this.#store = new RolloutStore(parts.etcd);
  }

  /** Leads until the leadership is over. */
  async lead(leadership: Leadership): Promise<void> {
    const { etcd, clock, log } = this.parts;
    const prefixes = [keys.lock, keys.rollouts, keys.nodes, ...serviceGroups.map(keys.group)];
    const watches: Watch[] = prefixes.map((prefix) => etcd.watchPrefix(prefix, () => this.#wake()));
    let tidiedMs = Number.NEGATIVE_INFINITY;
    // Once, not in every race: a race leaves something behind at each promise that outlives it, and a leadership may last for weeks.
    void leadership.ended.then(() => this.#wake());
    while (!leadership.over()) {
      // Armed before reading, so that a change made while we read is not slept over.
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      try {
        // A clock that was set back must not put it off for long.
        if (Math.abs(clock.now() - tidiedMs) >= defaults.tidyMs) {
          tidiedMs = clock.now();
          await this.#tidy().catch((error: unknown) =>
            log.warn({ err: error }, 'old rollouts could not be forgotten'),
          );
        }
        const step = await this.#step(leadership.token);
        if (step === 'written') continue;
        // Refused: a former leader, or somebody else wrote the journal. Reading again tells which.
        if (step === 'refused') await clock.sleep(defaults.retryMs);
        else await Promise.race([woken, clock.sleep(defaults.tickMs)]);
      } catch (error) {
        log.warn({ err: error }, 'a step of the rollout failed; trying again');
        await clock.sleep(defaults.retryMs);
      }
    }
    for (const watch of watches) watch.close();
  }

  async #step(token: number): Promise<Step> {
    const lock = await this.#store.lock();
    if (!lock) return 'idle';
    const before = await this.#store.get(lock.rollout);
    if (!before || isTerminal(before.rollout.state) || before.rollout.state === 'planned') {
      const dropped = await this.#store.dropLock(token, lock.modRevision);
      return dropped ? 'written' : 'refused';
    }
    const decision = advance(before.rollout, await this.#view(), this.parts.clock.now());
    if (decision.rollout === before.rollout) return 'idle';
    return this.#write(token, before, decision.rollout, decision.orders);
  }

  async #write(token: number, before: Stored, next: Rollout, orders: readonly Order[]): Promise<Step> {
    const { drainMs, settleMs, confirmMs, force } = next.options;
    const options = { drainMs, settleMs, confirmMs, force };
    // It changes only while no controller runs; so what is read before the transaction holds in it.
    const epoch = await readEpoch(this.parts.etcd);
    const given = orders.map(
      ({ node, order, revision }): NodeOrder => ({
        node,
        desired: revision === undefined ? undefined : { revision, order, epoch, token, options },
      }),
    );
    const written = await this.#store.advance(token, before, next, given);
    const facts = {
      rollout: next.id,
      state: next.state,
      wave: next.wave,
      orders: orders.map(({ order }) => order),
    };
    if (written) this.parts.log.info(facts, 'rollout');
    return written ? 'written' : 'refused';
  }

  async #view(): Promise<View> {
    const { etcd } = this.parts;
    const prefixes = [keys.nodes, ...serviceGroups.map(keys.group)];
    const listings = await Promise.all(prefixes.map((prefix) => etcd.getPrefix(prefix)));
    return viewOf(
      listings.flatMap(({ entries }) => entries),
      (error) => this.#complain(error),
    );
  }

  /** Tells each trouble once until it changes, not at every step. */
  #complain(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    if (text === this.#complained) return;
    this.#complained = text;
    this.parts.log.warn({ err: error }, 'a value is not readable and counts as absent');
  }

  /** Forgets plans that nobody started and rollouts that are too old to matter. */
  async #tidy(): Promise<void> {
    const all = await this.#store.all();
    const now = this.parts.clock.now();
    const ended = all.filter(({ rollout }) => isTerminal(rollout.state));
    const stale = all.filter(
      ({ rollout }) => rollout.state === 'planned' && now - rollout.createdMs > defaults.planKeptMs,
    );
    for (const stored of [...ended.slice(defaults.rolloutsKept), ...stale]) await this.#store.forget(stored);
  }
}
