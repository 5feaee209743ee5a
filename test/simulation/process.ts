/** A process of the simulation: it may be killed, paused (SIGSTOP), and its wall clock may be wrong. */
import type { WallClock } from '../../controller/rollout/wall-clock.js';
import type { Scheduler } from './scheduler.js';

/** 2026-01-01: only for rollout ids that look like real ones. */
const EPOCH = 1_767_225_600_000;

export class SimProcess {
  state: 'running' | 'paused' | 'dead' = 'running';
  readonly clock: WallClock;
  #held: (() => void)[] = [];
  #atDeath: (() => void)[] = [];

  constructor(
    readonly name: string,
    private readonly scheduler: Scheduler,
    private readonly offsetMs: () => number = () => 0,
  ) {
    this.clock = {
      now: () => Math.floor(EPOCH + scheduler.now + this.offsetMs()),
      sleep: (ms) => new Promise((resolve) => this.after(ms, resolve)),
    };
  }

  /** Something reaches the process: at once, after a pause, or never. */
  deliver(run: () => void): void {
    if (this.state === 'running') run();
    else if (this.state === 'paused') this.#held.push(run);
  }

  after(ms: number, run: () => void): void {
    this.scheduler.after(ms, () => this.deliver(run));
  }

  pause(): void {
    if (this.state === 'running') this.state = 'paused';
  }

  /** What came meanwhile is seen in its order; timers that are overdue come with it. */
  resume(): void {
    if (this.state !== 'paused') return;
    this.state = 'running';
    const held = this.#held;
    this.#held = [];
    for (const run of held) this.after(0, run);
  }

  kill(): void {
    if (this.state === 'dead') return;
    this.state = 'dead';
    this.#held = [];
    for (const tell of this.#atDeath) tell();
  }

  atDeath(tell: () => void): void {
    this.#atDeath.push(tell);
  }
}
