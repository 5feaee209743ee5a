/** Time and chance, so that a test can own them. */
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds that only grow. */
  now(): number;
  sleep(ms: number): Promise<void>;
  /** From 0 up to, not including, 1. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms) => delay(ms),
  random: Math.random,
};

/** Pause before attempt `n` + 1 (n from 0): doubles up to the maximum; between half and all of it, by chance. */
export function backoff(n: number, baseMs: number, maxMs: number, random: number): number {
  return Math.min(maxMs, baseMs * 2 ** Math.min(n, 30)) * (0.5 + random / 2);
}
