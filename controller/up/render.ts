/** Events as lines of a terminal or as NDJSON. */
import type { Listener, UpEvent } from './events.js';
import { describeStep } from './plan.js';

/** `12.3s`, or `2m05s` from a minute on. */
export function duration(ms: number): string {
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`;
}

/** One JSON object per line; `time` is ISO 8601. */
export function jsonRenderer(write: (text: string) => void, now: () => Date = () => new Date()): Listener {
  return (event) => write(`${JSON.stringify({ time: now().toISOString(), ...event })}\n`);
}

export interface TerminalOptions {
  /** Shows the output of builds too. */
  verbose: boolean;
}

/** Lines for a person: a title per phase, a line per node with how long it took. */
export function terminalRenderer(write: (text: string) => void, options: TerminalOptions): Listener {
  return (event) => {
    const line = terminalLine(event, options);
    if (line !== undefined) write(`${line}\n`);
  };
}

function terminalLine(event: UpEvent, { verbose }: TerminalOptions): string | undefined {
  switch (event.type) {
    case 'phase-started':
      return `== ${event.phase}${event.nodes.length > 0 ? ` (${event.nodes.length})` : ''}`;
    case 'step-progress':
      return verbose ? `   ${event.node.padEnd(14)} | ${event.message}` : undefined;
    case 'step-ended':
      return `   ${nameOf(event.step).padEnd(14)} ${event.detail.padEnd(40)} ${duration(event.elapsedMs).padStart(7)}`;
    case 'step-failed':
      return `   ${nameOf(event.step).padEnd(14)} FAILED: ${event.message} [${event.code}] ${duration(event.elapsedMs)}`;
    case 'done': {
      const total = new Map<string, number>();
      for (const { phase, elapsedMs } of event.timings) total.set(phase, (total.get(phase) ?? 0) + elapsedMs);
      const parts = [...total].map(([phase, ms]) => `${phase} ${duration(ms)}`);
      return `done in ${duration(event.elapsedMs)}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`;
    }
    case 'step-started':
      return verbose ? `   ${describeStep(event.step)}` : undefined;
    default:
      return undefined;
  }
}

function nameOf(step: { kind: string; node?: string }): string {
  return step.node ?? 'cluster';
}
