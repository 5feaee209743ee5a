/** Where the time of a deploy goes, from the JSON events that it printed. Pure. */

export interface TimedEvent {
  time: string;
  type: string;
  node?: string;
  phase?: string;
}

/** Milliseconds per phase. `plan` is from the command's start to the plan; the rest is summed over the nodes. */
export type PhaseTimes = Record<string, number>;

export function parseEvents(output: string): TimedEvent[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as TimedEvent);
}

/** Splits the time from `startedMs` (Unix) to the last event. A node's phase lasts until its next one or its end. */
export function phaseTimes(events: readonly TimedEvent[], startedMs: number): PhaseTimes {
  const times: PhaseTimes = {};
  const add = (phase: string, ms: number) => {
    times[phase] = (times[phase] ?? 0) + Math.max(0, ms);
  };
  const open = new Map<string, { phase: string; since: number }>();
  for (const event of events) {
    const at = Date.parse(event.time);
    if (event.type === 'planned') add('plan', at - startedMs);
    const node = event.node ?? '';
    const change =
      event.type === 'node-ordered' ? 'ordered' : event.type === 'node-progress' ? event.phase : undefined;
    const ends = event.type === 'node-moved' || event.type === 'node-failed';
    if (change === undefined && !ends) continue;
    const before = open.get(node);
    if (before) add(before.phase, at - before.since);
    if (change === undefined) open.delete(node);
    else open.set(node, { phase: change, since: at });
  }
  return times;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
