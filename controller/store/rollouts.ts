/** The journals of rollouts in etcd: each change is one transaction, under the lock, the leadership and what was read before. */
import { Problem } from '../../shared/errors.js';
import type { Condition, Entry, EtcdStore, Write } from '../../shared/etcd/store.js';
import { rolloutDefaults as defaults } from '../rollout/defaults.js';
import { isTerminal, type Rollout, rolloutShape } from '../rollout/rollout.js';
import { keys } from './keys.js';
import { type DesiredValue, type LockValue, lockShape, parseValue } from './shapes.js';

/** A journal and the revision at which it was read. */
export interface Stored {
  rollout: Rollout;
  modRevision: number;
}

export interface NodeOrder {
  node: string;
  /** Undefined: what was ordered is withdrawn. */
  desired: DesiredValue | undefined;
}

function stored(entry: Entry): Stored {
  return { rollout: parseValue(entry.key, entry.value, rolloutShape), modRevision: entry.modRevision };
}

export class RolloutStore {
  constructor(private readonly etcd: EtcdStore) {}

  async get(id: string): Promise<Stored | undefined> {
    const entry = await this.etcd.get(keys.rollout(id));
    return entry && stored(entry);
  }

  /** Throws `rollout.unknown`. */
  async need(id: string): Promise<Stored> {
    const found = /^[a-z0-9-]{1,60}$/.test(id) ? await this.get(id) : undefined;
    if (!found) throw new Problem('rollout.unknown', `There is no rollout "${id.slice(0, 80)}"`);
    return found;
  }

  /** Every journal, newest first. A value that cannot be read is left out: the others must stay visible. */
  async all(): Promise<Stored[]> {
    const { entries } = await this.etcd.getPrefix(keys.rollouts);
    const read = entries.flatMap((entry) => {
      try {
        return [stored(entry)];
      } catch {
        return [];
      }
    });
    return read.reverse();
  }

  async lock(): Promise<(LockValue & { modRevision: number }) | undefined> {
    const entry = await this.etcd.get(keys.lock);
    return entry && { ...parseValue(keys.lock, entry.value, lockShape), modRevision: entry.modRevision };
  }

  /**
   * Stores a new plan. Only where there is nothing yet: a plain put is repeated by the client, and a first attempt that arrives late
   * would make a plan again of a rollout that runs by then.
   */
  async putPlan(rollout: Rollout): Promise<void> {
    const key = keys.rollout(rollout.id);
    for (let attempt = 0; attempt < defaults.writeAttempts; attempt++)
      if (await this.etcd.compareAndSet(key, 0, JSON.stringify(rollout))) return;
    throw new Problem('etcd.unavailable', 'The plan could not be stored', { where: key });
  }

  /**
   * Takes the lock and makes the plan run; false when something moved: the lock is taken, the plan is not what was read, or a node
   * was ordered something else since it was planned.
   */
  start({ rollout, modRevision }: Stored, running: Rollout, lock: LockValue): Promise<boolean> {
    const conditions: Condition[] = [
      { key: keys.lock, modRevision: 0 },
      { key: keys.rollout(rollout.id), modRevision },
      ...rollout.nodes.map(({ name, desiredChange }) => ({
        key: keys.desired(name),
        modRevision: desiredChange,
      })),
    ];
    return this.etcd.transact(conditions, [
      { do: 'put', key: keys.lock, value: JSON.stringify(lock) },
      { do: 'put', key: keys.rollout(rollout.id), value: JSON.stringify(running) },
    ]);
  }

  /** An operator's wish, written into the journal; false when the journal changed meanwhile. */
  request({ rollout, modRevision }: Stored, request: NonNullable<Rollout['request']>): Promise<boolean> {
    const key = keys.rollout(rollout.id);
    return this.etcd.transact(
      [{ key, modRevision }],
      [{ do: 'put', key, value: JSON.stringify({ ...rollout, request }) }],
    );
  }

  /**
   * The leader's step: the next journal and the orders that belong to it, at once. False when the leadership `token` is over or the
   * journal is not what was read. The end of a rollout gives the lock back in the same transaction.
   */
  advance(token: number, before: Stored, next: Rollout, orders: readonly NodeOrder[]): Promise<boolean> {
    const key = keys.rollout(next.id);
    const writes: Write[] = [
      { do: 'put', key, value: JSON.stringify(next) },
      ...orders.map(({ node, desired }): Write => {
        const wanted = keys.desired(node);
        return desired
          ? { do: 'put', key: wanted, value: JSON.stringify(desired) }
          : { do: 'delete', key: wanted };
      }),
      ...(isTerminal(next.state) ? [{ do: 'delete', key: keys.lock } as const] : []),
    ];
    return this.etcd.transact(
      [
        { key: keys.leader, createRevision: token },
        { key, modRevision: before.modRevision },
      ],
      writes,
    );
  }

  /** Gives back a lock whose rollout does not run (somebody worked on the keys by hand). */
  dropLock(token: number, modRevision: number): Promise<boolean> {
    return this.etcd.transact(
      [
        { key: keys.leader, createRevision: token },
        { key: keys.lock, modRevision },
      ],
      [{ do: 'delete', key: keys.lock }],
    );
  }

  /** Forgets a journal that did not change since it was read. */
  async forget({ rollout, modRevision }: Stored): Promise<void> {
    const key = keys.rollout(rollout.id);
    await this.etcd.transact([{ key, modRevision }], [{ do: 'delete', key }]);
  }
}

/** What the plan was made from is not so any more. */
export function staleWorld(reason: string): Problem {
  return new Problem('rollout.stale', 'The cluster changed after the plan was made; nothing was done', {
    reason,
  });
}

/** Who holds the cluster, since when and why. */
export function lockedBy({ rollout, who, why, sinceMs }: LockValue): Problem {
  const since = new Date(sinceMs).toISOString();
  return new Problem('rollout.locked', `The rollout ${rollout} runs`, {
    reason: `${who} holds the lock since ${since}${why ? `: ${why}` : ''}`,
  });
}
