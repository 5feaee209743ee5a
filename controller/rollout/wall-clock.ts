/** Time as the journal has it, so that a simulation can own it. */
import { setTimeout as delay } from 'node:timers/promises';

export interface WallClock {
  /** Unix milliseconds. May jump, and differs between controllers. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

export const wallClock: WallClock = {
  now: () => Date.now(),
  sleep: (ms) => delay(ms, undefined, { ref: false }),
};
