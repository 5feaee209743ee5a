/**
 * One rollout from the plan to its end: wait for the lock, plan, show, start, watch. The leader carries it out; this only asks and tells,
 * so the rollout goes on when this process ends.
 */
import { hostname, userInfo } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Problem } from '../../shared/errors.js';
import { firstView, type Operator } from '../operator-client/operator-client.js';
import { eventsBetween, type RolloutListener, type RolloutView } from '../rollout/events.js';
import { isTerminal, type Rollout } from '../rollout/rollout.js';
import { upDefaults } from './defaults.js';
import { problemOf } from './rollout-end.js';

export interface RollOutOptions {
  /** Makes the plan; called again when the world moved meanwhile. */
  plan: () => Promise<Rollout>;
  listener: RolloutListener;
  signal: AbortSignal;
  /** Asks a person about the plan that was shown; undefined where it starts unasked. */
  confirm?: ((plan: Rollout) => Promise<boolean>) | undefined;
  /** Starts whatever the plan is by now, also another one than was shown: for `up`, where nobody decides by it. */
  anyPlan?: boolean;
  /** How long another rollout may hold the cluster. Milliseconds; 0: not at all. */
  lockWaitMs: number;
  /** Does not watch it. */
  detach?: boolean;
}

/** A cluster that changes faster than it can be planned needs a person. */
const mostPlans = 5;

/** user@host, for whoever finds the lock. */
export function whoAsks(): string {
  return `${userInfo().username}@${hostname()}`;
}

/**
 * Ends with the rollout. Throws how it ended unless it succeeded, `rollout.locked`, `rollout.stale` when a plan that nobody saw differs from
 * the one shown, `interrupted` when the person says no.
 */
export async function rollOut(operator: Operator, options: RollOutOptions): Promise<Rollout> {
  const { listener, signal, confirm } = options;
  const waitUntil = performance.now() + options.lockWaitMs;
  let shown: Rollout | undefined;
  for (let plans = 1; ; plans++) {
    await waitForLock(operator, waitUntil, options);
    const plan = await options.plan();
    const same = shown !== undefined && sameChanges(shown, plan);
    if (!same) listener({ type: 'planned', rollout: plan });
    if (plan.nodes.length === 0) return plan;
    if (shown && !same && !confirm && !options.anyPlan) throw stale(plan);
    if (confirm && !same && !(await confirm(plan)))
      throw new Problem('interrupted', 'Nothing was started', { next: 'nothing to do' });
    shown = plan;
    try {
      await operator.startRollout(plan.id);
    } catch (error) {
      const problem = Problem.from(error);
      const again =
        problem.code === 'rollout.stale' || (problem.code === 'rollout.locked' && options.lockWaitMs > 0);
      if (!again || signal.aborted) throw await lockedBy(operator, problem);
      if (problem.code === 'rollout.stale') {
        if (plans >= mostPlans) throw problem;
        listener({ type: 'stale', rollout: plan.id });
      }
      // The lock goes a moment after the end of its rollout can be seen; time is up at the latest in waitForLock.
      else if (performance.now() > waitUntil) throw problem;
      else await delay(upDefaults.pollMs, undefined, { signal }).catch(() => undefined);
      continue;
    }
    listener({ type: 'started', rollout: plan.id, detached: options.detach ?? false });
    if (options.detach) return plan;
    return endedWell(await followRollout(operator, plan.id, listener, signal));
  }
}

/** Tells what happens until the rollout ends; its end, whatever it is. Without an id the one that runs, else the newest. */
export async function followRollout(
  operator: Pick<Operator, 'watchRollout'>,
  id: string,
  listener: RolloutListener,
  signal: AbortSignal,
): Promise<Rollout> {
  let last: RolloutView | undefined;
  for await (const view of operator.watchRollout(id, signal)) {
    // The frame first: what stands above it is drawn together with it.
    listener({ type: 'view', view });
    for (const event of eventsBetween(last, view)) listener(event);
    last = view;
  }
  if (last && isTerminal(last.rollout.state)) return last.rollout;
  if (signal.aborted) throw new Problem('interrupted', 'Interrupted');
  throw new Problem('controller.unreachable', 'The controllers stopped telling of the rollout');
}

/** The rollout, when it ended well; else throws how it ended. */
export function endedWell(rollout: Rollout): Rollout {
  const problem = problemOf(rollout);
  if (problem) throw problem;
  return rollout;
}

async function waitForLock(operator: Operator, waitUntil: number, options: RollOutOptions): Promise<void> {
  const { listener, signal, lockWaitMs } = options;
  for (let told = ''; ; ) {
    const holder = await running(operator);
    if (!holder) return;
    const left = waitUntil - performance.now();
    if (lockWaitMs === 0 || left <= 0) throw locked(holder);
    const { id, who, why, startedMs } = holder;
    if (told !== id) listener({ type: 'lock-waiting', rollout: id, who, why, sinceMs: startedMs });
    told = id;
    const time = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(left))]);
    for await (const _view of operator.watchRollout(id, time));
    if (signal.aborted) throw new Problem('interrupted', 'Interrupted');
  }
}

async function running(operator: Operator): Promise<Rollout | undefined> {
  const view = await firstView(operator, '');
  if (!view || view.rollout.state === 'planned' || isTerminal(view.rollout.state)) return undefined;
  return view.rollout;
}

function locked({ id, who, why, startedMs, state }: Rollout): Problem {
  const since = new Date(startedMs).toISOString();
  return new Problem(
    'rollout.locked',
    `${who} holds the cluster since ${since}${why === '' ? '' : ` (${why})`}`,
    {
      where: `rollout ${id}`,
      reason: `it is ${state}`,
    },
  );
}

/** Who holds it stands in the journal, when it can be read. */
async function lockedBy(operator: Operator, problem: Problem): Promise<Problem> {
  if (problem.code !== 'rollout.locked') return problem;
  const holder = await running(operator).catch(() => undefined);
  return holder ? locked(holder) : problem;
}

function stale(plan: Rollout): Problem {
  return new Problem('rollout.stale', 'The cluster changed, and what would happen now was not shown before', {
    where: `rollout ${plan.id}`,
  });
}

/** True when a person who agreed to the one would agree to the other: the same nodes become the same by the same changes. */
export function sameChanges(a: Rollout, b: Rollout): boolean {
  const brief = ({ nodes }: Rollout) =>
    nodes.map(({ name, wave, to, changes }) => ({ name, wave, to: to.revision, changes }));
  return isDeepStrictEqual(brief(a), brief(b));
}
