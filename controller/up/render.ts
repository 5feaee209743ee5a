/** Events as lines of a terminal or as NDJSON. */
import { formatDuration } from '../rollout/duration.js';
import type { RolloutEvent } from '../rollout/events.js';
import { rolloutLines } from '../rollout/render-rollout.js';
import type { Listener, UpEvent } from './events.js';
import { describeStep, nodesOf, type Step } from './plan.js';

/** One JSON object per line; `time` is ISO 8601. */
export function jsonRenderer(write: (text: string) => void, now: () => Date = () => new Date()): Listener {
  return (event) => {
    if (event.type === 'view') return;
    write(`${JSON.stringify({ time: now().toISOString(), ...event })}\n`);
  };
}

export interface TerminalOptions {
  /** Shows the output of builds too, and what agents do. */
  verbose: boolean;
}

/** Lines for a person or a log: a title per phase and wave, a line per node with how long it took. */
export function terminalRenderer(write: (text: string) => void, options: TerminalOptions): Listener {
  return (event) => {
    const line = terminalLine(event, options, (other) => rolloutLines(other, options));
    if (line !== undefined) write(`${line}\n`);
  };
}

/** The line of an event; `ofRollout` has the say about those of a rollout. */
export function terminalLine(
  event: UpEvent | RolloutEvent,
  { verbose }: TerminalOptions,
  ofRollout: (event: RolloutEvent) => string | undefined,
): string | undefined {
  switch (event.type) {
    case 'plan':
    case 'phase-ended':
      return undefined;
    case 'phase-started':
      return `== ${event.phase}${event.nodes.length > 0 ? ` (${event.nodes.length})` : ''}`;
    case 'step-started':
      return verbose ? `   ${describeStep(event.step)}` : undefined;
    case 'step-progress':
      return verbose ? `   ${event.node.padEnd(14)} | ${event.message}` : undefined;
    case 'step-ended':
      return `   ${nameOf(event.step).padEnd(14)} ${event.detail.padEnd(40)} ${formatDuration(event.elapsedMs).padStart(7)}`;
    case 'step-failed':
      return `   ${nameOf(event.step).padEnd(14)} FAILED: ${event.message} [${event.code}] ${formatDuration(event.elapsedMs)}`;
    case 'done': {
      const total = new Map<string, number>();
      for (const { phase, elapsedMs } of event.timings) total.set(phase, (total.get(phase) ?? 0) + elapsedMs);
      const parts = [...total].map(([phase, ms]) => `${phase} ${formatDuration(ms)}`);
      return `done in ${formatDuration(event.elapsedMs)}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`;
    }
    default:
      return ofRollout(event);
  }
}

function nameOf(step: Step): string {
  const nodes = nodesOf(step);
  return nodes.length === 1 ? (nodes[0] ?? '') : 'cluster';
}
