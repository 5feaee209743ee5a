/** The states of one application of a revision, and what an agent that finds an open job at its start must do. Pure. */

export const jobPhases = ['fetching', 'staging', 'building', 'draining', 'switching', 'settling'] as const;
export type JobPhase = (typeof jobPhases)[number];
export type OutcomeName = 'unchanged' | 'applied' | 'rejected' | 'unhealthy';

/** Where each phase may lead. */
export const transitions: Readonly<Record<JobPhase, readonly (JobPhase | OutcomeName)[]>> = {
  fetching: ['staging', 'rejected'],
  staging: ['building', 'rejected'],
  building: ['draining', 'rejected'],
  draining: ['switching'],
  switching: ['settling', 'rejected'],
  settling: ['applied', 'unhealthy'],
};

export interface Job {
  revision: string;
  phase: JobPhase;
  startedMs: number;
  /** What ran before. */
  previousSystem: string;
  /** Units that had failed already before; they are not this revision's fault. */
  failedBefore: string[];
  /** The built system; from the phase draining on. */
  system?: string;
  /** Apps whose instances are held back until the switch is over, as `group/name`. */
  drained: string[];
  /** Exit code of switch-to-configuration; in the phase settling. */
  switchExit?: number;
}

/** The job in its next phase; throws on a step that the table does not have, which would be a defect of ours. */
export function advance(job: Job, phase: JobPhase, facts: Partial<Job> = {}): Job {
  if (!transitions[job.phase].includes(phase))
    throw new Error(`a job cannot go from ${job.phase} to ${phase}`);
  return { ...job, ...facts, phase };
}

/**
 * Before the switch nothing but /etc/nixos has changed: put it back and start afresh when the order comes again. From the switch on the
 * system may be half new: the only way out is forward.
 */
export function onRestart(job: Job): 'undo' | 'await-switch' | 'settle' {
  if (job.phase === 'switching') return 'await-switch';
  return job.phase === 'settling' ? 'settle' : 'undo';
}

export interface StoredResult {
  revision: string;
  outcome: OutcomeName;
  message: string;
  log: string[];
  system: string;
  durationMs: number;
  atMs: number;
}

export interface Order {
  revision: string;
  /** The first order on a new stream repeats what is known; a later one is somebody asking again. */
  firstOnStream: boolean;
}

export interface Known {
  /** The last result, when there is one. */
  result: StoredResult | undefined;
  /** Target of /run/current-system now. */
  currentSystem: string;
  nowMs: number;
}

/** What an order means for a node that runs no job: tell the known result again, tell that nothing changes, or apply. */
export function decide(order: Order, known: Known, retryFailedMs: number): 'repeat' | 'unchanged' | 'apply' {
  const { result, currentSystem, nowMs } = known;
  if (result?.revision !== order.revision) return 'apply';
  if (result.outcome === 'applied' || result.outcome === 'unchanged') {
    // Somebody switched by hand: what was ordered no longer runs.
    if (result.system !== currentSystem) return 'apply';
    return order.firstOnStream ? 'repeat' : 'unchanged';
  }
  return order.firstOnStream && nowMs - result.atMs < retryFailedMs ? 'repeat' : 'apply';
}

/** How a finished switch is judged. `changed` tells whether the new system runs. */
export function judge(facts: {
  switchExit: number;
  newFailed: readonly string[];
  unhealthyApps: readonly string[];
}): { outcome: 'applied' | 'unhealthy'; message: string } {
  const complaints = [
    ...facts.newFailed.map((unit) => `${unit} failed`),
    ...facts.unhealthyApps.map((app) => `${app} is not healthy`),
    ...(facts.switchExit === 0 || facts.newFailed.length > 0
      ? []
      : [`the switch ended with exit code ${facts.switchExit}`]),
  ];
  if (complaints.length === 0) return { outcome: 'applied', message: '' };
  return { outcome: 'unhealthy', message: complaints.join('; ') };
}
