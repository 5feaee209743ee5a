/** A clock whose pauses pass at once: it counts them, so that deadlines still come. */
import type { Clock } from '../clock.js';

export class FastClock implements Clock {
  readonly pauses: number[] = [];
  private at = 0;

  now(): number {
    return this.at;
  }

  async sleep(ms: number): Promise<void> {
    this.pauses.push(ms);
    this.at += ms;
    await new Promise((resolve) => setImmediate(resolve));
  }

  random(): number {
    return 0.5;
  }
}
