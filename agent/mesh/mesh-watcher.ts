/** Follows what the node's haproxy serves, by asking the running worker over and over; tells changes only. */
import type { Logger } from 'pino';
import type { Mesh } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import { ask } from './ask.js';
import { parseAnswer, question } from './show-stat.js';

export interface MeshWatcherOptions {
  /** haproxy's admin socket; after a reload the new worker answers there. */
  socketPath: string;
  clock: Clock;
  log: Logger;
  onChange(mesh: Mesh): void;
}

export class MeshWatcher {
  #current: Mesh | undefined;
  #text = '';
  #lastGoodMs = Number.NEGATIVE_INFINITY;
  /** Each start has its own loop; one that was stopped while it asked must not go on. */
  #round = 0;
  #running = false;

  constructor(private readonly options: MeshWatcherOptions) {}

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#round += 1;
    void this.#run(this.#round);
  }

  stop(): void {
    this.#running = false;
    this.#round += 1;
  }

  /** What was told last; undefined before haproxy was asked for the first time. */
  current(): Mesh | undefined {
    return this.#current;
  }

  async #run(round: number): Promise<void> {
    const { clock } = this.options;
    while (round === this.#round) {
      const mesh = await this.#look();
      if (round !== this.#round) return;
      if (mesh) this.#tell(mesh);
      await clock.sleep(defaults.meshPollMs);
    }
  }

  /** Undefined when there is nothing new to say: an old worker answered, or haproxy is away for a moment. */
  async #look(): Promise<Mesh | undefined> {
    const { socketPath, clock } = this.options;
    try {
      const answer = await ask(socketPath, question, defaults.meshReadMs, defaults.meshReadBytes);
      const servers = parseAnswer(answer);
      if (servers === 'stopping') return undefined;
      this.#lastGoodMs = clock.monotonic();
      return { readable: true, servers, revision: 0, seenRevision: 0, warnings: [] };
    } catch (error) {
      if (clock.monotonic() - this.#lastGoodMs < defaults.meshGoneMs) return undefined;
      if (this.#current?.readable) this.options.log.warn({ err: error }, 'haproxy does not answer');
      return { readable: false, servers: [], revision: 0, seenRevision: 0, warnings: [] };
    }
  }

  #tell(mesh: Mesh): void {
    const text = JSON.stringify(mesh);
    if (text === this.#text) return;
    this.#text = text;
    this.#current = mesh;
    try {
      this.options.onChange(mesh);
    } catch (error) {
      this.options.log.error({ err: error }, 'a change of the mesh could not be told');
    }
  }
}
