/** Whether one more node may be away now. Pure. */
import type { Rollout, RolloutNode } from './rollout.js';

/** The apps whose instance on the node goes away while it is moved or, once it was moved, brought back; as `group/name`. */
export function appsTaken({ state, changes }: Pick<RolloutNode, 'state' | 'changes'>): string[] {
  // What was started on the way there stops on the way back, and the other way round.
  const comes = state === 'waiting' ? 'start' : 'stop';
  return changes.apps.filter(({ action }) => action !== comes).map(({ id }) => id);
}

/** Nodes that run a registered instance of each app, by `group/name`. */
export type Instances = ReadonlyMap<string, readonly string[]>;

/** Two etcd members of three may not be away at once, whatever was asked for. */
const oneAtATime = 'control';

export type Refusal = { why: 'group'; group: string } | { why: 'minimum'; app: string };

/**
 * Why this node must wait while those in flight are away; undefined when it may go. An app counts as available on a node that
 * registered it and is not in flight.
 */
export function refusalOf(
  rollout: Rollout,
  node: RolloutNode,
  inFlight: readonly RolloutNode[],
  instances: Instances,
): Refusal | undefined {
  for (const group of node.groups) {
    const limit = group === oneAtATime ? 1 : rollout.options.maxUnavailable;
    if (inFlight.filter((other) => other.groups.includes(group)).length >= limit)
      return { why: 'group', group };
  }
  if (rollout.options.force) return undefined;
  const away = new Set([...inFlight.map(({ name }) => name), node.name]);
  for (const app of appsTaken(node)) {
    const left = (instances.get(app) ?? []).filter((name) => !away.has(name)).length;
    if (left < (rollout.minimums[app] ?? 0)) return { why: 'minimum', app };
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
