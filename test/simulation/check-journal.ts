/** The journal: it takes only steps of the tables, one rollout at a time, and nobody writes after his leadership. */
import {
  isTerminal,
  nodeTransitions,
  type Rollout,
  rolloutTransitions,
} from '../../controller/rollout/rollout.js';
import { keys } from '../../controller/store/keys.js';
import { type Checker, type Committed, Violation, writer } from './history.js';

function fail(checker: string, message: string): never {
  throw new Violation(checker, message);
}

/** Whether a state can follow another in at most so many steps of the table. */
function follows<S extends string>(
  table: Readonly<Record<S, readonly S[]>>,
  from: S,
  to: S,
  steps: number,
): boolean {
  if (from === to) return true;
  return steps > 0 && table[from].some((next) => follows(table, next, to, steps - 1));
}

function checkStep(before: Rollout, after: Rollout, role: string): void {
  const name = 'journal';
  if (isTerminal(before.state)) fail(name, `${after.id} changed after its end (${before.state})`);
  if (!follows(rolloutTransitions, before.state, after.state, 1))
    fail(name, `${after.id} went from ${before.state} to ${after.state}`);
  if (after.wave < before.wave) fail(name, `${after.id} went back to wave ${after.wave}`);
  for (const [at, node] of after.nodes.entries()) {
    const was = before.nodes[at];
    if (
      was?.name !== node.name ||
      was.to.revision !== node.to.revision ||
      was.from.revision !== node.from.revision
    )
      fail(name, `${after.id} is not the plan that was shown any more`);
    // A result that is seen, and what follows from it, are one step of the leader.
    if (!follows(nodeTransitions, was.state, node.state, 2))
      fail(name, `${node.name} of ${after.id} went from ${was.state} to ${node.state}`);
    if (role !== 'leader' && was.state !== node.state) fail(name, `${role} moved ${node.name}`);
  }
  const failed = after.nodes.find((node) => node.state === 'failed');
  const further = after.nodes.find(
    (node, at) => node.state === 'ordered' && before.nodes[at]?.state === 'waiting',
  );
  if (failed && further) fail(name, `${further.name} was ordered although ${failed.name} had failed`);
  const steerable = ({ state }: Rollout) => state === 'running' || state === 'paused';
  if (before.request?.action === 'abort' && !after.request && steerable(before) && steerable(after))
    fail(name, `the wish to abort ${after.id} got lost`);
  if (role !== 'leader' && before.state !== after.state && before.state !== 'planned')
    fail(name, `${role} made ${after.id} ${after.state}`);
}

export function journalChecker(): Checker {
  return {
    name: 'journal',
    see(happening) {
      if (happening.what !== 'commit') return;
      const { role } = writer(happening);
      for (const { id, before, after } of happening.journals) {
        if (before && after) checkStep(before, after, role);
        if (!before && after?.state !== 'planned') fail('journal', `${id} began as ${after?.state}`);
        if (before && !after && !isTerminal(before.state) && before.state !== 'planned')
          fail('journal', `${id} was deleted while it was ${before.state}`);
      }
    },
  };
}

/** Two rollouts never run at once, and the lock is there exactly while one runs. */
export function lockChecker(): Checker {
  const running = new Set<string>();
  let lock: string | undefined;
  return {
    name: 'lock',
    see(happening) {
      if (happening.what !== 'commit') return;
      for (const { id, after } of happening.journals) {
        if (after && after.state !== 'planned' && !isTerminal(after.state)) running.add(id);
        else running.delete(id);
      }
      for (const { key, entry } of happening.commit.changes)
        if (key === keys.lock)
          lock = entry && (JSON.parse(entry.value.toString()) as { rollout: string }).rollout;
      if (running.size > 1) fail('lock', `${[...running].join(' and ')} run at the same time`);
      const [one] = running;
      if (one !== lock) fail('lock', `${one ?? 'nothing'} runs and ${lock ?? 'nobody'} has the lock`);
    },
    end() {
      if (lock !== undefined) fail('lock', `${lock} still has the lock`);
    },
  };
}

/** Journals and orders are written by whoever leads at that revision, and tokens only grow on every node. */
export function fencingChecker(): Checker {
  const highest = new Map<string, { token: number; change: number }>();
  const check = (happening: Committed) => {
    const { leader, journals, orders } = happening;
    const { incarnation, role } = writer(happening);
    for (const { node, order, token } of orders) {
      if (role !== 'leader') fail('fencing', `${role} ordered ${order}`);
      if (token !== leader?.token)
        fail(
          'fencing',
          `${order} for ${node} has the token ${token}, the leader's is ${leader?.token ?? 'none'}`,
        );
    }
    // Old journals may be forgotten by whoever led.
    const steps = journals.filter(({ before, after }) => before && after);
    if (role === 'leader' && steps.length > 0 && leader?.controller !== incarnation)
      fail('fencing', `${incarnation} wrote ${steps[0]?.id} while ${leader?.controller ?? 'nobody'} led`);
  };
  return {
    name: 'fencing',
    see(happening) {
      if (happening.what === 'commit') return check(happening);
      if (happening.what !== 'taken') return;
      const { node, order, token, change } = happening;
      const seen = highest.get(node) ?? { token: 0, change: 0 };
      if (token < seen.token || change < seen.change)
        fail(
          'fencing',
          `${node} carried out ${order} of ${token}/${change} after ${seen.token}/${seen.change}`,
        );
      highest.set(node, { token, change });
    },
  };
}
