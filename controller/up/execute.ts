/** Runs a plan: phases one after the other, lanes at the same time, steps of a lane in order. */
import { Problem } from '../../shared/errors.js';
import type { Listener } from './events.js';
import { nodesOf, type Phase, type PhaseName, type Plan, type Step } from './plan.js';

/** Carries out one step and says in a few words what came of it. */
export type StepRunner = (step: Step, signal: AbortSignal) => Promise<string>;

export interface ExecuteOptions {
  listener: Listener;
  /** Ends the run before its next step; steps under way end by themselves or are left for the next run. */
  signal: AbortSignal;
  /** Milliseconds, for elapsed times. */
  now: () => number;
}

/**
 * Runs to the end, or throws the first problem. After a failure the other lanes of the phase end the step they are in and start no
 * further one, so that nothing is abandoned half-way.
 */
export async function executePlan(plan: Plan, run: StepRunner, options: ExecuteOptions): Promise<void> {
  const { listener, now } = options;
  const begin = now();
  listener({ type: 'plan', plan });
  const timings: { phase: PhaseName; elapsedMs: number }[] = [];
  for (const phase of plan.phases) {
    const start = now();
    const nodes = phase.lanes.flat().flatMap(nodesOf);
    listener({ type: 'phase-started', phase: phase.name, nodes });
    await runPhase(phase, run, options);
    const elapsedMs = now() - start;
    timings.push({ phase: phase.name, elapsedMs });
    listener({ type: 'phase-ended', phase: phase.name, elapsedMs });
  }
  listener({ type: 'done', elapsedMs: now() - begin, timings });
}

async function runPhase(phase: Phase, run: StepRunner, options: ExecuteOptions): Promise<void> {
  const problems: Problem[] = [];
  const runLane = async (lane: readonly Step[]): Promise<void> => {
    for (const step of lane) {
      if (options.signal.aborted) throw new Problem('interrupted', 'Interrupted');
      if (problems.length > 0) return;
      await runStep(phase.name, step, run, options);
    }
  };
  await Promise.all(
    phase.lanes.map((lane) =>
      runLane(lane).catch((error: unknown) => {
        problems.push(Problem.from(error));
      }),
    ),
  );
  const [first, ...others] = problems;
  if (!first) return;
  if (options.signal.aborted) throw new Problem('interrupted', 'Interrupted');
  // One problem ends the command; the others were told as events.
  throw others.length === 0
    ? first
    : new Problem(first.code, `${first.message} (and ${others.length} more, see above)`, {
        ...(first.node ? { node: first.node } : {}),
        ...(first.where ? { where: first.where } : {}),
        ...(first.reason ? { reason: first.reason } : {}),
        next: first.next,
        log: first.log,
        cause: first,
      });
}

async function runStep(
  phase: PhaseName,
  step: Step,
  run: StepRunner,
  options: ExecuteOptions,
): Promise<void> {
  const { listener, now, signal } = options;
  const start = now();
  listener({ type: 'step-started', phase, step });
  try {
    const detail = await run(step, signal);
    listener({ type: 'step-ended', phase, step, elapsedMs: now() - start, detail });
  } catch (error) {
    const { code, message } = Problem.from(error);
    listener({ type: 'step-failed', phase, step, elapsedMs: now() - start, code, message });
    throw error;
  }
}
