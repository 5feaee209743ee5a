/** What the convergence tells while it runs. It prints nothing itself: renderers subscribe. */
import type { RolloutEvent } from '../rollout/events.js';
import type { PhaseName, Plan, Step } from './plan.js';

export type UpEvent =
  | { type: 'plan'; plan: Plan }
  | { type: 'phase-started'; phase: PhaseName; nodes: readonly string[] }
  | { type: 'phase-ended'; phase: PhaseName; elapsedMs: number }
  | { type: 'step-started'; phase: PhaseName; step: Step }
  /** Something to know while a step runs: a line of a build, a phase of the agent. */
  | { type: 'step-progress'; node: string; message: string }
  | { type: 'step-ended'; phase: PhaseName; step: Step; elapsedMs: number; detail: string }
  | { type: 'step-failed'; phase: PhaseName; step: Step; elapsedMs: number; code: string; message: string }
  | { type: 'done'; elapsedMs: number; timings: readonly { phase: PhaseName; elapsedMs: number }[] };

/** What is told while nodes are deployed stands beside it. */
export type Listener = (event: UpEvent | RolloutEvent) => void;
