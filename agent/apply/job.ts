/** One order on its way: its phases, what is kept of it across a restart, and what its order means on arrival. Pure. */
import type { ApplyOptions } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Changes } from './changes.js';
import type { Before } from './proof.js';

export const jobPhases = [
  'fetching',
  'staging',
  'building',
  'draining',
  'activating',
  'proving',
  'committing',
  'routing',
  'restoring',
] as const;
export type JobPhase = (typeof jobPhases)[number];

export const outcomeNames = [
  'unchanged',
  'applied',
  'rejected',
  'unhealthy',
  'rolled-back',
  'needs-reboot',
] as const;
export type OutcomeName = (typeof outcomeNames)[number];

/** Where each phase may lead. A prepared revision goes from fetching to draining at once. */
export const transitions: Readonly<Record<JobPhase, readonly (JobPhase | OutcomeName)[]>> = {
  fetching: ['staging', 'draining', 'rejected'],
  staging: ['building', 'rejected'],
  building: ['draining', 'rejected'],
  draining: ['activating', 'rejected'],
  activating: ['proving', 'restoring'],
  proving: ['committing', 'restoring'],
  committing: ['routing', 'restoring'],
  // The instances come back whichever system they come back on.
  routing: ['applied', 'needs-reboot', 'unhealthy', 'rolled-back'],
  restoring: ['routing'],
};

/** From here on something of the node may have changed. */
export function hasBegun(phase: JobPhase): boolean {
  return !['fetching', 'staging', 'building', 'draining'].includes(phase);
}

/** How a job will end once its instances are back. */
export interface Ending {
  outcome: OutcomeName;
  message: string;
  log: string[];
}

export interface Job {
  order: string;
  token: number;
  change: number;
  revision: string;
  options: ApplyOptions;
  phase: JobPhase;
  startedMs: number;
  /** Of the boot in which the activation began: in another boot no activation and no watchdog of ours runs any more. */
  bootId: string;
  /** What ran before. */
  previousSystem: string;
  /** Names this attempt in Proven and Confirm, and the verdict of its watchdog. */
  nonce: string;
  /** The built system, and what it changes; from the phase draining on. */
  system?: string;
  changes?: Changes;
  /** Apps whose instances are held back, as `group/name`. */
  held: string[];
  /** What worked before the activation; from the phase activating on. */
  before?: Before;
  /** The boot default may be the new system, or half of it: from the phase committing on. What boots next cannot be read from one link. */
  bootDefaultTouched?: boolean;
  /** Exit code and words of the activation; from the phase proving on. */
  activation?: { exit: number; log: string[] };
  /** Why the job goes back; in the phase restoring. */
  failure?: { message: string; log: string[] };
  ending?: Ending;
}

/** Whether what was read is a job of this release. One that knew no orders left jobs without, in phases of its own. */
export function isJob(read: Partial<Job>): read is Job {
  return typeof read.order === 'string' && read.phase !== undefined && jobPhases.includes(read.phase);
}

/** The job in its next phase; throws on a step that the table does not have, which would be a defect of ours. */
export function advance(job: Job, phase: JobPhase, facts: Partial<Job> = {}): Job {
  if (!transitions[job.phase].includes(phase))
    throw new Error(`a job cannot go from ${job.phase} to ${phase}`);
  return { ...job, ...facts, phase };
}

export interface StoredResult {
  order: string;
  revision: string;
  outcome: OutcomeName;
  message: string;
  log: string[];
  system: string;
  durationMs: number;
  atMs: number;
}

/** What a new order means: `unchanged` when the node runs just that. */
export function decide(
  order: { revision: string },
  known: { applied: { revision: string; system: string } | undefined; currentSystem: string },
): 'unchanged' | 'apply' {
  const { applied, currentSystem } = known;
  // Somebody may have switched by hand: then what was applied no longer runs.
  return applied?.revision === order.revision && applied.system === currentSystem ? 'unchanged' : 'apply';
}

/** What is true on a node on which a job is found at the start. */
export interface Facts {
  bootId: string;
  currentSystem: string;
  profileSystem: string;
}

/**
 * What to do with a job that a former run of the agent left. The facts decide, not the memory.
 * `again`: nothing had changed, the order comes again; `go on`: with the phase it is in; `go back`: the old system runs and is made
 * whole; `done`: the new system runs and is the boot default.
 */
export function onRestart(job: Job, facts: Facts): 'again' | 'go on' | 'go back' | 'done' {
  if (!hasBegun(job.phase)) return 'again';
  if (job.phase === 'routing') return 'go on';
  if (facts.bootId === job.bootId) return 'go on';
  // The machine was restarted: it runs its boot default, and neither activation nor watchdog goes on.
  if (job.phase === 'restoring') return 'go back';
  // A revision may come out as the very system that ran: then only the phase tells whether it was confirmed.
  const told = job.system !== job.previousSystem || job.phase === 'committing';
  const committed = job.system === facts.profileSystem && job.system === facts.currentSystem;
  return committed && told ? 'done' : 'go back';
}
