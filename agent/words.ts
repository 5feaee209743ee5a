/** The agent's own words as messages of the wire contract. */
import { Outcome, Phase, type Result, type Changes as WireChanges } from '../proto/gen/nixinfra/v1/agent.js';
import type { Changes } from './apply/changes.js';
import type { JobPhase, OutcomeName, StoredResult } from './apply/job.js';

export const wirePhase: Readonly<Record<JobPhase, Phase>> = {
  fetching: Phase.PHASE_FETCHING,
  staging: Phase.PHASE_STAGING,
  building: Phase.PHASE_BUILDING,
  draining: Phase.PHASE_DRAINING,
  activating: Phase.PHASE_ACTIVATING,
  proving: Phase.PHASE_PROVING,
  committing: Phase.PHASE_COMMITTING,
  routing: Phase.PHASE_ROUTING,
  restoring: Phase.PHASE_RESTORING,
};

const wireOutcome: Readonly<Record<OutcomeName, Outcome>> = {
  unchanged: Outcome.OUTCOME_UNCHANGED,
  applied: Outcome.OUTCOME_APPLIED,
  rejected: Outcome.OUTCOME_REJECTED,
  unhealthy: Outcome.OUTCOME_UNHEALTHY,
  'rolled-back': Outcome.OUTCOME_ROLLED_BACK,
  'needs-reboot': Outcome.OUTCOME_NEEDS_REBOOT,
};

export function wireResult(stored: StoredResult): Result {
  const { revision, outcome, message, log, system, durationMs, order } = stored;
  return { revision, outcome: wireOutcome[outcome], message, log, system, durationMs, order };
}

export function wireChanges(changes: Changes): WireChanges {
  const { apps, ...rest } = changes;
  return {
    ...rest,
    apps: apps.map(({ id, ...app }) => {
      const at = id.indexOf('/');
      return { group: id.slice(0, at), app: id.slice(at + 1), ...app };
    }),
  };
}
