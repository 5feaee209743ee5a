/** Answers requests to prepare a revision: each once it is built and compared, and again whenever it is asked again. */
import type { Logger } from 'pino';
import type { Prepare, Prepared } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Manifest } from '../../proto/gen/nixinfra/v1/bundle.js';
import { Problem } from '../../shared/errors.js';
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import { wireChanges } from '../words.js';
import type { Activator } from './activator.js';
import type { JobPhase } from './job.js';
import { type Preparation, Rejected } from './preparation.js';
import type { Turn } from './turn.js';

export interface PreparerParts {
  activator: Pick<Activator, 'currentSystem'>;
  preparation: Preparation;
  turn: Turn;
  clock: Clock;
  log: Logger;
  progress(revision: string, phase: JobPhase, request: string): void;
  answer(prepared: Prepared): void;
}

export class Preparer {
  #running: string | undefined;
  #waiting: { request: string; manifest: Manifest } | undefined;
  /** The last request that did not become a system: asking again would not change it. */
  #refused: Prepared | undefined;
  #queued = false;

  constructor(private readonly parts: PreparerParts) {}

  prepare({ request, manifest }: Prepare): void {
    if (!manifest || request === this.#running) return;
    if (this.#refused?.request === request) {
      this.parts.answer(this.#refused);
      return;
    }
    this.#waiting = { request, manifest };
    this.#queue();
  }

  #queue(): void {
    if (this.#queued) return;
    this.#queued = true;
    void this.parts.turn
      .take(async () => {
        const next = this.#waiting;
        this.#waiting = undefined;
        if (next) await this.#carryOut(next.request, next.manifest);
      })
      .catch((error: unknown) => this.parts.log.error({ err: error }, 'a preparation broke'))
      .finally(() => {
        this.#queued = false;
        this.#running = undefined;
        if (this.#waiting) this.#queue();
      });
  }

  async #carryOut(request: string, manifest: Manifest): Promise<void> {
    const { preparation, clock, activator, log, progress, answer } = this.parts;
    this.#running = request;
    const began = clock.now();
    const { revision } = manifest;
    const common = { request, revision, message: '', log: [] as string[] };
    let prepared: Prepared;
    try {
      const made = await preparation.make(manifest, async (phase) => progress(revision, phase, request));
      const { system, currentSystem, changes } = made;
      const durationMs = clock.now() - began;
      prepared = { ...common, ok: true, system, currentSystem, changes: wireChanges(changes), durationMs };
    } catch (error) {
      const problem = Problem.from(error);
      const said = error instanceof Rejected ? error.message : (problem.reason ?? problem.message);
      const lines = error instanceof Rejected ? error.log : problem.log;
      prepared = {
        ...common,
        ok: false,
        message: said,
        log: lines.slice(-defaults.logLines).map((line) => line.slice(0, defaults.logLineChars)),
        system: '',
        currentSystem: await activator.currentSystem(),
        changes: undefined,
        durationMs: clock.now() - began,
      };
      this.#refused = prepared;
    }
    log.info({ request, revision, ok: prepared.ok, durationMs: prepared.durationMs }, 'prepared');
    answer(prepared);
  }
}
