/** The agent's own words as messages of the wire contract. */
import { Outcome, Phase, type Result } from '../proto/gen/nixinfra/v1/agent.js';
import type { JobPhase, OutcomeName, StoredResult } from './apply/job.js';

export const wirePhase: Readonly<Record<JobPhase, Phase>> = {
  fetching: Phase.PHASE_FETCHING,
  staging: Phase.PHASE_STAGING,
  building: Phase.PHASE_BUILDING,
  draining: Phase.PHASE_DRAINING,
  switching: Phase.PHASE_SWITCHING,
  settling: Phase.PHASE_SETTLING,
};

const wireOutcome: Readonly<Record<OutcomeName, Outcome>> = {
  unchanged: Outcome.OUTCOME_UNCHANGED,
  applied: Outcome.OUTCOME_APPLIED,
  rejected: Outcome.OUTCOME_REJECTED,
  unhealthy: Outcome.OUTCOME_UNHEALTHY,
};

export function wireResult({ revision, outcome, message, log, system, durationMs }: StoredResult): Result {
  return { revision, outcome: wireOutcome[outcome], message, log, system, durationMs };
}
