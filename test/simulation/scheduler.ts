/** Virtual time: a queue of events in the order of their time, and a seeded source of chance. Nothing here knows a real clock. */

/** mulberry32: small, fast, and the same everywhere. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0;
  }

  /** From 0 up to, not including, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  between(least: number, most: number): number {
    return least + (most - least) * this.next();
  }

  /** Both ends included. */
  int(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new Error('nothing to pick from');
    return list[Math.floor(this.next() * list.length)] as T;
  }
}

interface Event {
  at: number;
  seq: number;
  run: () => void;
}

export class Scheduler {
  /** Milliseconds since the beginning. */
  now = 0;
  events = 0;
  readonly #heap: Event[] = [];
  #seq = 0;

  /** Runs it after so many milliseconds; events of the same time run in the order in which they were asked for. */
  after(ms: number, run: () => void): void {
    const event = { at: this.now + Math.max(0, ms), seq: this.#seq++, run };
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!before(event, heap[up] as Event)) break;
      heap[at] = heap[up] as Event;
      at = up;
    }
    heap[at] = event;
  }

  /** Runs events until there is nothing more to wait for, or the time is over; then false. */
  async run(done: () => boolean, limitMs: number): Promise<boolean> {
    while (!done()) {
      const next = this.#take();
      if (!next) throw new Error('nothing happens any more');
      if (next.at > limitMs) return false;
      this.now = next.at;
      this.events += 1;
      next.run();
      // Comes after every microtask: all that this event settled has run its course before the next event.
      await new Promise<void>((resolve) => process.nextTick(resolve));
      // Whoever watches over this process (the test runner) wants to be answered now and then.
      if (this.events % 2_000 === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return true;
  }

  #take(): Event | undefined {
    const heap = this.#heap;
    const [top] = heap;
    const last = heap.pop();
    if (!top || !last || top === last) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const right = heap[child + 1];
      if (right && before(right, heap[child] as Event)) child += 1;
      const least = heap[child];
      if (!least || before(last, least)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at === b.at ? a.seq < b.seq : a.at < b.at;
}
