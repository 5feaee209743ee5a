/** Pauses between attempts: doubling, jittered, reset by success. Pure but for the random number it is given. */
export class Backoff {
  #next: number;

  constructor(
    private readonly minMs: number,
    private readonly maxMs: number,
    private readonly random: () => number = Math.random,
  ) {
    this.#next = minMs;
  }

  /** Milliseconds to wait now: 0.5 to 1.5 times the step, never above the maximum. */
  next(): number {
    const step = this.#next;
    this.#next = Math.min(step * 2, this.maxMs);
    return Math.min(step * (0.5 + this.random()), this.maxMs);
  }

  reset(): void {
    this.#next = this.minMs;
  }
}
