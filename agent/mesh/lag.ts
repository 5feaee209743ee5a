/** Pure: when a file that does not follow etcd is late, and when confd is restarted for it. Times are of a monotonic clock. */
import { agentDefaults as defaults } from '../defaults.js';

export interface Lag {
  /** Since when the file has been this one, and not the right one; undefined while it is right. */
  sinceMs: number | undefined;
  file: string;
  /** Restarts since the file was right, and the earliest moment for the next. */
  restarts: number;
  nextRestartMs: number;
}

export const noLag: Lag = { sinceMs: undefined, file: '', restarts: 0, nextRestartMs: 0 };

/**
 * The state after a look at the file. One that changes is being written by a confd that works: where keys change all the time, it is
 * never the newest, and late it is only when it stays.
 */
export function look(lag: Lag, file: string, isRight: boolean, nowMs: number): Lag {
  if (isRight) return noLag;
  const sinceMs = lag.sinceMs === undefined || lag.file !== file ? nowMs : lag.sinceMs;
  return { ...lag, sinceMs, file };
}

/** Whether the file is behind for longer than a confd that works needs. */
export function isLate({ sinceMs }: Lag, nowMs: number): boolean {
  return sinceMs !== undefined && nowMs - sinceMs >= defaults.renderLagMs;
}

export function restartIsDue(lag: Lag, nowMs: number): boolean {
  return isLate(lag, nowMs) && nowMs >= lag.nextRestartMs;
}

/** The state after a restart was asked for; each one that did not help doubles the pause. */
export function restarted(lag: Lag, nowMs: number): Lag {
  const pauseMs = Math.min(defaults.renderRestartMinMs * 2 ** lag.restarts, defaults.renderRestartMaxMs);
  return { ...lag, restarts: lag.restarts + 1, nextRestartMs: nowMs + pauseMs };
}
