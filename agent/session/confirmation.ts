/** The last proof: a connection that was opened after the activation, over which a controller confirms the order. */
import type { Confirm } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Event } from './link.js';

export interface Dialling {
  send(event: Event): void;
  /** Drops the connection and dials anew, without a pause. */
  renew(): void;
}

export class Confirmation {
  #asked: { order: string; nonce: string; fresh: boolean } | undefined;
  #confirmed: string | undefined;

  constructor(private readonly dialling: Dialling) {}

  /** Dials anew, and says on every connection from then on that the order is proved, until it is confirmed. */
  ask(order: string, nonce: string): void {
    this.#asked = { order, nonce, fresh: false };
    this.#confirmed = undefined;
    this.dialling.renew();
  }

  /** A connection is open. */
  onOpen(): void {
    if (!this.#asked) return;
    const { order, nonce } = this.#asked;
    this.#asked.fresh = true;
    this.dialling.send({ $case: 'proven', value: { order, nonce } });
  }

  onConfirm({ order, nonce }: Confirm): void {
    const asked = this.#asked;
    // An answer on the connection of before the activation would prove nothing.
    if (asked?.fresh && asked.order === order && asked.nonce === nonce) this.#confirmed = nonce;
  }

  isConfirmed(nonce: string): boolean {
    return this.#confirmed === nonce;
  }

  end(): void {
    this.#asked = undefined;
  }
}
