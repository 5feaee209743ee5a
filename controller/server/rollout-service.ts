/** Starts, finds and steers rollouts. It writes wishes; acting is the leader's alone (controller/rollout/runner.ts). */
import type { SteerRolloutRequest } from '../../proto/gen/nixinfra/v1/operator.js';
import { Problem } from '../../shared/errors.js';
import type { EtcdStore } from '../../shared/etcd/store.js';
import { rolloutDefaults as defaults } from '../rollout/defaults.js';
import type { Rollout } from '../rollout/rollout.js';
import { lockedBy, RolloutStore, staleWorld } from '../store/rollouts.js';
import { readRunning } from './running.js';

/** How often a wish is written again when the journal changed in between; each loss means that the leader made a step. */
const REQUEST_ATTEMPTS = 20;

export class RolloutService {
  readonly #store: RolloutStore;

  constructor(private readonly etcd: EtcdStore) {
    this.#store = new RolloutStore(etcd);
  }

  /** Repeating it for a rollout that was started is a success: the first answer may have been lost. */
  async start(id: string): Promise<void> {
    const stored = await this.#store.need(id);
    const { rollout } = stored;
    if (rollout.state !== 'planned') return;
    const lock = await this.#store.lock();
    if (lock) throw lockedBy(lock);
    const running = await readRunning(this.etcd);
    const moved = rollout.nodes.find(({ name, from }) => running.get(name)?.system !== from.system);
    if (moved) throw staleWorld(`${moved.name} runs another system than when the plan was made`);
    const busy = rollout.options.force
      ? undefined
      : rollout.nodes.find(({ name }) => running.get(name)?.open);
    if (busy) throw staleWorld(`${busy.name} has not ended its last order`);
    const now = Date.now();
    const next: Rollout = { ...rollout, state: 'running', startedMs: now };
    const { who, why } = rollout;
    const lockValue = { rollout: id, who, why, sinceMs: now };
    for (let attempt = 1; ; attempt++) {
      try {
        if (await this.#store.start(stored, next, lockValue)) return;
        break;
      } catch (error) {
        // Carried out or not, nobody knows: what it depends on makes a second try harmless, and the journal tells.
        if ((await this.#store.need(id)).rollout.state !== 'planned') return;
        if (attempt >= defaults.writeAttempts) throw error;
      }
    }
    if ((await this.#store.need(id)).rollout.state !== 'planned') return;
    const other = await this.#store.lock();
    if (other) throw lockedBy(other);
    throw staleWorld('a node was ordered something else since the plan was made');
  }

  lock = () => this.#store.lock();

  async list(): Promise<Rollout[]> {
    return (await this.#store.all()).map(({ rollout }) => rollout).filter(({ state }) => state !== 'planned');
  }

  /** The one that is named; without a name the one that runs, else the newest that ran. */
  async find(id: string): Promise<Rollout> {
    if (id !== '') return (await this.#store.need(id)).rollout;
    const lock = await this.#store.lock();
    const newest = lock ? (await this.#store.get(lock.rollout))?.rollout : (await this.list())[0];
    if (!newest) throw new Problem('rollout.unknown', 'There was no rollout yet');
    return newest;
  }

  async steer({ id, action, noUndo, who }: SteerRolloutRequest): Promise<void> {
    if (action !== 'abort' && action !== 'resume')
      throw new Problem('usage', `"${action.slice(0, 40)}" is neither abort nor resume`);
    for (let attempt = 0; attempt < REQUEST_ATTEMPTS; attempt++) {
      const stored = await this.#store.need(id);
      const { state } = stored.rollout;
      const allowed = action === 'abort' ? ['running', 'paused'] : ['paused'];
      if (!allowed.includes(state)) {
        throw new Problem('rollout.state', `The rollout ${id} is ${state}; it cannot ${action} now`);
      }
      if (await this.#store.request(stored, { action, noUndo, who: who.slice(0, 200) })) return;
    }
    throw new Problem('rollout.state', `The rollout ${id} changed too often to be told to ${action}`);
  }
}
