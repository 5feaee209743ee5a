/** Turns what etcd says into commands for the running haproxy, and gives up on those that it refuses. */
import type { Logger } from 'pino';
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import { commandText, packed } from './runtime-commands.js';
import { planRuntime } from './runtime-plan.js';
import type { Expected } from './runtime-routes.js';
import type { RuntimeSource } from './runtime-source.js';
import { serverText } from './served-servers.js';
import { isOut, type Running } from './show-stat.js';

export interface RuntimeApplierParts {
  source: Pick<RuntimeSource, 'current' | 'fresh'>;
  clock: Clock;
  log: Logger;
}

export class RuntimeApplier {
  /** Tries of commands that are still due, and when the next one may be; of one worker alone. */
  readonly #tries = new Map<string, { count: number; nextMs: number }>();
  /** Since when servers have been out of rotation that do not belong there. */
  readonly #outSince = new Map<string, number>();
  #pid = '';
  #handled: Expected | undefined;

  constructor(private readonly parts: RuntimeApplierParts) {}

  /** Lines to send to the worker that was read last; none when there is nothing to do, or nothing more to try. Never rejects. */
  async lines(running: Running): Promise<string[]> {
    const { source } = this.parts;
    const known = source.current();
    if (!known) return [];
    if (running.pid !== this.#pid) {
      this.#pid = running.pid;
      this.#tries.clear();
    }
    let due = this.#due(known, running);
    if (due.length > 0 && known === this.#handled) due = this.#due(await this.#confirmed(), running);
    this.#handled = known;
    for (const text of due) this.#count(text);
    return packed(due, defaults.runtimeLineBytes);
  }

  /**
   * haproxy is not what the watch said a while ago: it was reloaded, from a file that may be older or newer than that. Only a fresh
   * listing can tell; without one nothing is changed, so that a watch that is behind never undoes what confd has done.
   */
  async #confirmed(): Promise<Expected | undefined> {
    try {
      return await this.parts.source.fresh();
    } catch (error) {
      this.parts.log.warn(
        { err: error },
        'haproxy serves something else than etcd said, and etcd does not answer',
      );
      return undefined;
    }
  }

  #due(expected: Expected | undefined, running: Running): string[] {
    if (!expected) return [];
    const now = this.parts.clock.monotonic();
    this.#noteOut(running, now);
    const isOverdue = (server: Running['servers'][number]) =>
      now - (this.#outSince.get(serverText(server)) ?? now) >= defaults.runtimeDrainMs;
    const texts = planRuntime(expected.backends, running, { isOverdue })
      .map(commandText)
      .filter((text) => text !== undefined);
    for (const text of this.#tries.keys()) if (!texts.includes(text)) this.#tries.delete(text);
    return texts.filter((text) => {
      const tried = this.#tries.get(text);
      return !tried || (tried.count < defaults.runtimeTries && now >= tried.nextMs);
    });
  }

  #noteOut({ servers }: Running, now: number): void {
    const out = new Set(servers.filter(({ status }) => isOut(status)).map(serverText));
    for (const text of this.#outSince.keys()) if (!out.has(text)) this.#outSince.delete(text);
    for (const text of out) if (!this.#outSince.has(text)) this.#outSince.set(text, now);
  }

  #count(text: string): void {
    const { clock, log } = this.parts;
    const count = (this.#tries.get(text)?.count ?? 0) + 1;
    this.#tries.set(text, { count, nextMs: clock.monotonic() + defaults.runtimeRetryMs * 2 ** (count - 1) });
    if (count === defaults.runtimeTries)
      log.warn({ text }, 'haproxy does not do this; left to the next reload');
  }
}
