/** Time as a port, so that a test can own it. */
export interface Clock {
  /** Unix milliseconds: for telling people. It may be set at any time, so nothing is measured with it. */
  now(): number;
  /** Whole milliseconds since some moment of this process, which nobody can set: every duration and deadline. */
  monotonic(): number;
  sleep(ms: number): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => Math.floor(performance.now()),
  sleep: (ms) =>
    new Promise((resolve) => {
      setTimeout(resolve, ms);
    }),
};
