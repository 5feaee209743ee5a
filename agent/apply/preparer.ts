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
import type { StateFiles } from './state-files.js';
import type { Turn } from './turn.js';

export interface PreparerParts {
  activator: Pick<Activator, 'currentSystem'>;
  preparation: Preparation;
  files: StateFiles;
  turn: Turn;
  clock: Clock;
  log: Logger;
  progress(revision: string, phase: JobPhase, request: string): void;
  answer(prepared: Prepared): void;
}

const answerFile = 'prepared.json';

export class Preparer {
  #running: string | undefined;
  #waiting: { request: string; manifest: Manifest } | undefined;
  /** The answer to the last request: it was true when it was asked for, and is what a plan was made from. */
  #answered: Prepared | undefined;
  #queued = false;
  /** Ends what runs. */
  #stopping = new AbortController();

  constructor(private readonly parts: PreparerParts) {}

  /** What a former run of the agent answered. */
  async recover(): Promise<void> {
    this.#answered = await this.parts.files.read<Prepared>(answerFile);
  }

  prepare({ request, manifest }: Prepare): void {
    if (!manifest || request === this.#running) return;
    if (this.#answered?.request === request) {
      this.parts.answer(this.#answered);
      return;
    }
    this.#waiting = { request, manifest };
    this.#queue();
  }

  /** An order came: what runs ends soon, and is done again after the order. Whoever waits for it waits on; nothing is answered. */
  giveWay(): void {
    if (this.#running !== undefined) this.#stopping.abort();
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
    const { preparation, files, clock, activator, log, progress, answer } = this.parts;
    this.#running = request;
    this.#stopping = new AbortController();
    const { signal } = this.#stopping;
    const began = clock.monotonic();
    const { revision } = manifest;
    const common = { request, revision, message: '', log: [] as string[] };
    let prepared: Prepared;
    try {
      const made = await preparation.make(
        manifest,
        async (phase) => progress(revision, phase, request),
        signal,
      );
      const { system, currentSystem, changes } = made;
      const durationMs = clock.monotonic() - began;
      prepared = { ...common, ok: true, system, currentSystem, changes: wireChanges(changes), durationMs };
    } catch (error) {
      if (signal.aborted) {
        log.info({ request, revision }, 'a preparation gives way to an order');
        this.#waiting ??= { request, manifest };
        return;
      }
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
        durationMs: clock.monotonic() - began,
      };
    }
    this.#answered = prepared;
    // Without it the revision is only looked at once more.
    await files
      .write(answerFile, prepared)
      .catch((error: unknown) => log.warn({ err: error }, 'the answer cannot be written'));
    log.info({ request, revision, ok: prepared.ok, durationMs: prepared.durationMs }, 'prepared');
    answer(prepared);
  }
}
