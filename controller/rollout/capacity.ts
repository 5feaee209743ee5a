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
    const members = rollout.nodes.filter(({ name, groups }) => name !== node.name && groups.includes(group));
    const away = members.filter(
      (other) => flying.has(other.name) || (group === oneAtATime && isAway(other.name, view)),
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
