/** Whether one more node may be away now. Pure. */
import type { Rollout, RolloutNode } from './rollout.js';
import type { View } from './view.js';

/** The apps whose instance goes away while the node moves or, once it was moved, while it is brought back; as `group/name`. */
export function appsTaken({ state, changes }: Pick<RolloutNode, 'state' | 'changes'>): string[] {
  // What was started on the way there stops on the way back, and the other way round.
  const comes = state === 'waiting' || state === 'ordered' ? 'start' : 'stop';
  return changes.apps.filter(({ action }) => action !== comes).map(({ id }) => id);
}

/** Two etcd members of three may not be away at once, whatever was asked for. */
const oneAtATime = 'control';

export type Refusal = { why: 'group'; group: string } | { why: 'minimum'; app: string };

/**
 * Why this node must wait while those in flight are away; undefined when it may go. An app counts as available on a node that
 * registered it and that holds no open order: neither one of this rollout, nor one that a lost node may still carry out.
 */
export function refusalOf(
  rollout: Rollout,
  node: RolloutNode,
  inFlight: readonly RolloutNode[],
  view: View,
): Refusal | undefined {
  const flying = new Set(inFlight.map(({ name }) => name));
  for (const group of node.groups) {
    const limit = group === oneAtATime ? 1 : rollout.options.maxUnavailable;
    const away = membersOf(group, rollout).filter(
      (name) => name !== node.name && (flying.has(name) || (group === oneAtATime && isAway(name, view))),
    );
    if (away.length >= limit) return { why: 'group', group };
  }
  if (rollout.options.force) return undefined;
  flying.add(node.name);
  for (const app of appsAtRisk(node, inFlight, view)) {
    const on = view.instances.get(app) ?? [];
    const left = on.filter((name) => !flying.has(name) && !view.nodes.get(name)?.open).length;
    if (left < (rollout.minimums[app] ?? 0)) return { why: 'minimum', app };
  }
  return undefined;
}

/** Of control nodes all that there are: one that stays may be down as well. */
function membersOf(group: string, { nodes, control }: Rollout): string[] {
  const names = nodes.filter(({ groups }) => groups.includes(group)).map(({ name }) => name);
  return group === oneAtATime ? [...new Set([...names, ...control])] : names;
}

/** Also a node that was given up: it may be down, or do at any moment what it was ordered last. */
function isAway(name: string, { nodes }: View): boolean {
  const node = nodes.get(name);
  return !node?.connected || node.open;
}

/** What the node takes away, and what those in flight took of the apps that it has too. */
function appsAtRisk(node: RolloutNode, inFlight: readonly RolloutNode[], { instances }: View): Set<string> {
  const shared = inFlight.flatMap(appsTaken).filter((app) => instances.get(app)?.includes(node.name));
  return new Set([...appsTaken(node), ...shared]);
}

/** An app that can never be spared on one of the planned nodes, whatever the rollout waits for; undefined when there is none. */
export function shortageOf(plan: Rollout): { app: string; node: string } | undefined {
  if (plan.options.force) return undefined;
  const comes = new Set(
    plan.nodes.flatMap(({ changes }) =>
      changes.apps.filter((app) => app.action === 'start').map(({ id }) => id),
    ),
  );
  for (const node of plan.nodes) {
    const short = appsTaken(node).find(
      (app) => !comes.has(app) && (plan.instances[app] ?? 0) - 1 < (plan.minimums[app] ?? 0),
    );
    if (short !== undefined) return { app: short, node: node.name };
  }
  return undefined;
}

/**
 * The least instances an app must keep. `declared` is what its modules ask for; without it all but `maxUnavailable`. Never more than
 * the app has at the end, so that taking an app away on purpose is possible.
 */
export function minimumOf(
  declared: number | undefined,
  now: number,
  atTheEnd: number,
  maxUnavailable: number,
): number {
  const reachable = Math.min(now, atTheEnd);
  return Math.max(0, Math.min(declared ?? reachable - maxUnavailable, reachable));
}
