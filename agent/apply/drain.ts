/** Which instances must leave the load balancer before a switch touches their units. */
import type { Activator } from './activator.js';

export interface DrainCandidate {
  /** `group/name` */
  id: string;
  unit: string;
  /** Unit identity in the system that runs and in the one to come; undefined where there is no such unit. */
  before: string | undefined;
  after: string | undefined;
}

/** Those whose unit changes or goes away. Pure. */
export function toDrain(candidates: readonly DrainCandidate[]): string[] {
  return candidates.filter(({ before, after }) => before !== after).map(({ id }) => id);
}

export async function drainCandidates(
  apps: readonly { id: string; unit: string }[],
  activator: Activator,
  current: string,
  next: string,
): Promise<DrainCandidate[]> {
  return Promise.all(
    apps.map(async ({ id, unit }) => ({
      id,
      unit,
      before: await activator.unitIdentity(current, unit),
      after: await activator.unitIdentity(next, unit),
    })),
  );
}
