/** Waits until the mesh has taken notice of this node's instances. The controller watches; we ask, and ask again on every new connection. */
import { BarrierKind, type BarrierReply, type InstanceRef } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Event } from './link.js';

export type BarrierName = 'dropped' | 'served';

/** Reached, or the nodes that still had to take notice when the time was over. */
export interface BarrierEnd {
  reached: boolean;
  waiting: string[];
}

const kinds: Readonly<Record<BarrierName, BarrierKind>> = {
  dropped: BarrierKind.BARRIER_KIND_DROPPED,
  served: BarrierKind.BARRIER_KIND_SERVED,
};

interface Asked {
  event: Event;
  order: string;
  kind: BarrierKind;
  waiting: string[];
  reach(): void;
}

export class Barriers {
  #asked: Asked | undefined;

  constructor(private readonly send: (event: Event) => void) {}

  /** One at a time: a node has one job. Never rejects. */
  wait(order: string, name: BarrierName, instances: InstanceRef[], limitMs: number): Promise<BarrierEnd> {
    if (instances.length === 0) return Promise.resolve({ reached: true, waiting: [] });
    const kind = kinds[name];
    return new Promise((resolve) => {
      const end = (reached: boolean) => {
        clearTimeout(timer);
        if (this.#asked === asked) this.#asked = undefined;
        resolve({ reached, waiting: reached ? [] : asked.waiting });
      };
      const timer = setTimeout(() => end(false), limitMs);
      const event: Event = { $case: 'barrier', value: { order, kind, instances } };
      const asked: Asked = { event, order, kind, waiting: [], reach: () => end(true) };
      this.#asked = asked;
      this.send(event);
    });
  }

  /** A connection is open: it knows nothing of what was asked before. */
  onOpen(): void {
    if (this.#asked) this.send(this.#asked.event);
  }

  onReply({ order, kind, reached, waiting }: BarrierReply): void {
    const asked = this.#asked;
    // The answer to a question that is over.
    if (asked?.order !== order || asked.kind !== kind) return;
    asked.waiting = waiting;
    if (reached) asked.reach();
  }
}
