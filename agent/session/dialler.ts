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
  /** `first` is true for the first command of its kind on a connection. */
  onCommand(command: Command, first: boolean): void;
}

export class Dialler {
  #link: Link | undefined;
  #stopped = false;

  constructor(private readonly parts: DiallerParts) {}

  /** Runs until stopped. */
  async run(): Promise<void> {
    const { config, clock, log, hello, onOpen, onCommand } = this.parts;
    const backoff = new Backoff(defaults.backoffMinMs, defaults.backoffMaxMs);
    // A random start spreads the agents over the controllers.
    let at = Math.floor(Math.random() * config.controllers.length);
    while (!this.#stopped) {
      const controller = config.controllers[at % config.controllers.length] as string;
      at += 1;
      const seen = new Set<string>();
      const reason = await hello()
        .then((words) =>
          runLink(config, controller, words, {
            onOpen: (link) => {
              this.#link = link;
              if (this.#stopped) return link.close();
              backoff.reset();
              log.info({ controller }, 'connected');
              onOpen();
            },
            onCommand: (command) => {
              onCommand(command, !seen.has(command.$case));
              seen.add(command.$case);
            },
          }),
        )
        .catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
      this.#link = undefined;
      if (this.#stopped) return;
      log.warn({ controller, reason }, 'not connected');
      await clock.sleep(backoff.next());
    }
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

  stop(): void {
    this.#stopped = true;
    this.#link?.close();
  }
}
