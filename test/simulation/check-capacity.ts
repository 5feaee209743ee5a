/** Rollouts never take an app below its minimum, never more nodes of a group than asked, never two control nodes. */
import { isTerminal, type Rollout, type RolloutNode } from '../../controller/rollout/rollout.js';
import type { Content } from './content.js';
import { type Checker, type Committed, Violation } from './history.js';
import type { Scenario } from './scenario.js';

const inFlight = ({ state }: RolloutNode) => state === 'ordered' || state === 'undo-ordered';

function fail(message: string): never {
  throw new Violation('capacity', message);
}

export function capacityChecker({ nodes: specs }: Scenario, content: Content): Checker {
  /** What each node runs, and the order because of which it is away. */
  const runs = new Map(specs.map(({ name }) => [name, 'v0']));
  const away = new Map<string, string>();
  const journals = new Map<string, Rollout>();
  const kindOf = new Map(specs.map(({ name, kind }) => [name, kind]));

  /** Orders that were just given: against what the leader could see. */
  function checkOrders(before: Rollout, after: Rollout, { seen }: Committed): void {
    const flying = after.nodes.filter(inFlight);
    for (const [at, node] of after.nodes.entries()) {
      const was = before.nodes[at] as RolloutNode;
      // A node that failed goes back at once: it is not well as it is.
      const free = was.state === 'failed' || was.state === 'ordered';
      if (!inFlight(node) || was.state === node.state || free) continue;
      for (const group of node.groups) {
        const limit = group === 'control' ? 1 : after.options.maxUnavailable;
        const together = flying.filter(({ groups }) => groups.includes(group)).map(({ name }) => name);
        if (together.length > limit) fail(`${together.join(' and ')} of ${group} move together`);
      }
      if (after.options.force) continue;
      const [from, to] = node.state === 'ordered' ? [node.from, node.to] : [node.to, node.from];
      for (const app of content.taken(node.name, from.system, to.system)) {
        const left = seen(app).filter((name) => !flying.some((other) => other.name === name));
        if (left.length < (after.minimums[app] ?? 0))
          fail(`${node.name} was ordered although ${app} has only ${left.join(' ') || 'nothing'} left`);
      }
    }
  }

  /** A node goes away just now: against what is away on the nodes themselves. */
  function checkAway(node: string, order: string, apps: readonly string[]): void {
    const journal = journals.get(order.split('/')[0] as string);
    // What a lost node does when it returns after the end of its rollout is not the rollout's any more.
    if (!journal || isTerminal(journal.state)) return;
    const others = [...away.keys()].filter((name) => name !== node);
    const control = kindOf.get(node) === 'control' && others.find((name) => kindOf.get(name) === 'control');
    if (control && isLive(away.get(control)))
      fail(`the control nodes ${node} and ${control} are away at the same time`);
    if (journal.options.force) return;
    for (const app of apps) {
      const hosts = specs.filter(({ name }) => content.appsOf(name, runs.get(name) as string).includes(app));
      const left = hosts.filter(({ name }) => name !== node && !away.has(name)).map(({ name }) => name);
      const minimum = journal.minimums[app] ?? 0;
      if (left.length < minimum) fail(`${app} has only ${left.join(' ') || 'nothing'} left without ${node}`);
    }
  }

  function isLive(order: string | undefined): boolean {
    const journal = journals.get(order?.split('/')[0] as string);
    return journal !== undefined && !isTerminal(journal.state);
  }

  return {
    name: 'capacity',
    see(happening) {
      if (happening.what === 'runs') runs.set(happening.node, happening.revision);
      if (happening.what === 'back' || happening.what === 'ended') away.delete(happening.node);
      if (happening.what === 'away') {
        checkAway(happening.node, happening.order, happening.apps);
        away.set(happening.node, happening.order);
      }
      if (happening.what !== 'commit') return;
      for (const { id, before, after } of happening.journals) {
        if (after) journals.set(id, after);
        if (before && after) checkOrders(before, after, happening);
      }
    },
  };
}
