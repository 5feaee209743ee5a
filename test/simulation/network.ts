/** Who reaches whom, how long it takes, and what gets lost. */
import type { Random, Scheduler } from './scheduler.js';

export class Network {
  /** Share of calls whose request, or whose reply, gets lost. 0 once faults have ceased. */
  lossy = 0;
  /** Share of messages that take much longer than usual. */
  slow = 0;
  readonly #cuts = new Map<string, number>();
  readonly #watchers = new Set<(a: string, b: string) => void>();

  constructor(
    private readonly scheduler: Scheduler,
    private readonly random: Random,
  ) {}

  latency(): number {
    const { random } = this;
    return this.slow > 0 && random.chance(this.slow) ? random.between(100, 2_500) : random.between(0.5, 8);
  }

  lost(): boolean {
    return this.lossy > 0 && this.random.chance(this.lossy);
  }

  isCut(a: string, b: string): boolean {
    return (this.#cuts.get(pair(a, b)) ?? 0) > 0;
  }

  /** Nothing passes between them for a while; cuts may overlap. */
  cut(a: string, b: string, ms: number): void {
    const key = pair(a, b);
    this.#cuts.set(key, (this.#cuts.get(key) ?? 0) + 1);
    for (const tell of this.#watchers) tell(a, b);
    this.scheduler.after(ms, () => this.#cuts.set(key, Math.max(0, (this.#cuts.get(key) ?? 0) - 1)));
  }

  heal(): void {
    this.#cuts.clear();
  }

  /** Tells of each new cut. */
  onCut(tell: (a: string, b: string) => void): () => void {
    this.#watchers.add(tell);
    return () => this.#watchers.delete(tell);
  }
}

function pair(a: string, b: string): string {
  return a < b ? `${a}|${b}` : `${b}|${a}`;
}
