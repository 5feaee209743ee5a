/** Each order is given once, carried out once, and ends once. */
import { isTerminal, type Rollout } from '../../controller/rollout/rollout.js';
import { type Checker, Violation } from './history.js';

export function onceChecker(): Checker {
  const given = new Map<string, string>();
  const taken = new Set<string>();
  const activated = new Set<string>();
  const ended = new Map<string, string>();
  const fail = (message: string): never => {
    throw new Violation('once', message);
  };
  const once = (set: Set<string>, order: string, what: string) => {
    if (set.has(order)) fail(`${order} was ${what} twice`);
    set.add(order);
  };
  /** What the journal says at its end is what the nodes did. */
  const checkEnd = ({ nodes }: Rollout) => {
    for (const { name, state, order, outcome } of nodes) {
      if (state === 'skipped' || state === 'waiting') continue;
      if (!given.has(order)) fail(`the order ${order} was never given`);
      if (state === 'moved' || state === 'undone') {
        if (!taken.has(order)) fail(`${name} is ${state} and never took ${order}`);
        if (ended.get(order) !== outcome)
          fail(`${order} ended ${ended.get(order)}, the journal says ${outcome}`);
      }
    }
  };
  return {
    name: 'once',
    see(happening) {
      if (happening.what === 'taken') {
        const { order, node, revision } = happening;
        once(taken, order, 'taken');
        if (given.get(order) !== `${node} ${revision}`)
          fail(`${node} took ${order} to ${revision}, it was given as ${given.get(order)}`);
      }
      if (happening.what === 'runs' && happening.why.startsWith('r-'))
        once(activated, happening.why, 'activated');
      if (happening.what === 'ended') {
        if (ended.has(happening.order)) fail(`${happening.order} ended twice`);
        ended.set(happening.order, happening.outcome);
      }
      if (happening.what !== 'commit') return;
      for (const { node, order, revision } of happening.orders) {
        if (given.has(order)) fail(`${order} was given twice`);
        given.set(order, `${node} ${revision}`);
      }
      for (const { after } of happening.journals) if (after && isTerminal(after.state)) checkEnd(after);
    },
  };
}
