/** Keeps the agent connected to one of the controllers, whichever lives. */
import type { Logger } from 'pino';
import type { Hello } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Clock } from '../clock.js';
import type { AgentConfig } from '../config.js';
import { agentDefaults as defaults } from '../defaults.js';
import { Backoff } from './backoff.js';
import { type Command, type Event, type Link, runLink } from './link.js';

export interface DiallerParts {
  config: AgentConfig;
  clock: Clock;
  log: Logger;
  hello(): Promise<Hello>;
  onOpen(): void;
  onCommand(command: Command): void;
}

export class Dialler {
  #link: Link | undefined;
  #stopped = false;
  #ending = new AbortController();
  #wake: () => void = () => {};
  #renewed = false;

  constructor(private readonly parts: DiallerParts) {}

  /** Runs until stopped. */
  async run(): Promise<void> {
    const { config, log } = this.parts;
    const backoff = new Backoff(defaults.backoffMinMs, defaults.backoffMaxMs);
    // A random start spreads the agents over the controllers.
    let at = Math.floor(Math.random() * config.controllers.length);
    while (!this.#stopped) {
      const controller = config.controllers[at % config.controllers.length] as string;
      at += 1;
      this.#renewed = false;
      const reason = await this.#connect(controller, backoff).catch((error: unknown) =>
        error instanceof Error ? error.message : String(error),
      );
      this.#link = undefined;
      if (this.#stopped) return;
      if (this.#renewed) {
        // Not a failure of this controller: it is the first to be asked again.
        at -= 1;
        continue;
      }
      log.warn({ controller, reason }, 'not connected');
      await this.#pause(backoff.next());
    }
  }

  async #connect(controller: string, backoff: Backoff): Promise<string> {
    const { config, log, hello, onOpen, onCommand } = this.parts;
    this.#ending = new AbortController();
    const { signal } = this.#ending;
    const words = await hello();
    const handlers = {
      onOpen: (link: Link) => {
        this.#link = link;
        backoff.reset();
        log.info({ controller }, 'connected');
        onOpen();
      },
      onCommand,
    };
    return runLink(config, controller, words, handlers, signal);
  }

  get connected(): boolean {
    return this.#link !== undefined;
  }

  /** Says something to the controller; lost without a connection. */
  send(event: Event): void {
    this.#link?.send(event);
  }

  async *fetch(hashes: string[]): AsyncGenerator<{ sha256: string; gzip: Uint8Array }> {
    if (!this.#link) throw new Error('no controller is connected');
    yield* this.#link.fetch(hashes);
  }

  /** Ends the connection, or the attempt to make one, and dials again at once. */
  renew(): void {
    this.#renewed = true;
    this.#ending.abort();
    this.#wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#ending.abort();
    this.#wake();
  }

  async #pause(ms: number): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    await Promise.race([this.parts.clock.sleep(ms), woken]);
    this.#wake = () => {};
  }
}
