/**
 * Follows what the node's haproxy serves, by asking the running worker over and over; tells changes only. With a source of routes it
 * also sends the worker what has changed in etcd, at once.
 */
import type { Logger } from 'pino';
import type { Mesh } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import { ask } from './ask.js';
import { RuntimeApplier } from './runtime-applier.js';
import type { RuntimeSource } from './runtime-source.js';
import { ServedRecord, type ServedRecordPaths } from './served-record.js';
import { inRotation, servedServers, serves } from './served-revision.js';
import { sameServers } from './served-servers.js';
import { voucherText, writeVoucher } from './served-voucher.js';
import { parseAnswer, questions, type Running } from './show-stat.js';

export interface MeshWatcherOptions {
  /** haproxy's admin socket; after a reload the new worker answers there. */
  socketPath: string;
  clock: Clock;
  log: Logger;
  onChange(mesh: Mesh): void;
  /** Without it haproxy is only read. Whoever gives it calls `wake` when it has changed. */
  source?: Pick<RuntimeSource, 'current' | 'fresh'>;
  /** What is wrong with the routes, or with who renders them. */
  warnings?(): Mesh['warnings'];
  /** Without them only what runs counts. */
  record?: ServedRecordPaths;
}

export class MeshWatcher {
  readonly #applier: RuntimeApplier | undefined;
  readonly #record: ServedRecord | undefined;
  #running: Running | undefined;
  #revision = 0;
  #current: Mesh | undefined;
  #text = '';
  #toldMs = Number.NEGATIVE_INFINITY;
  #lastGoodMs = Number.NEGATIVE_INFINITY;
  #voucher = '';
  #watch: { close(): void } | undefined;
  #alarm: (() => void) | undefined;
  #isAwake = false;
  /** Each start has its own loop; one that was stopped while it asked must not go on. */
  #round = 0;
  #isStarted = false;

  constructor(private readonly options: MeshWatcherOptions) {
    const { source, record, clock, log } = options;
    this.#applier = source && new RuntimeApplier({ source, clock, log });
    this.#record = record && new ServedRecord(record);
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#watch = this.#record?.watch(() => this.wake());
    this.#round += 1;
    void this.#run(this.#round);
  }

  stop(): void {
    this.#isStarted = false;
    this.#watch?.close();
    this.#round += 1;
    this.wake();
  }

  /** What was told last; undefined before haproxy was asked for the first time. */
  current(): Mesh | undefined {
    return this.#current;
  }

  /** The routes have changed: do not wait for the next look. */
  wake(): void {
    this.#isAwake = true;
    this.#alarm?.();
  }

  async #run(round: number): Promise<void> {
    while (round === this.#round) {
      this.#isAwake = false;
      const before = this.#running?.pid;
      const mesh = await this.#look();
      if (round !== this.#round) return;
      const pending = mesh !== undefined && !this.#tell(mesh);
      await this.#vouch();
      // A new worker was started from the file: compare at once.
      if (this.#applier && this.#running && this.#running.pid !== before) continue;
      await this.#sleep(pending ? defaults.meshTellMs : defaults.meshPollMs);
    }
  }

  /** Until the next look is due, or something has changed. */
  async #sleep(ms: number): Promise<void> {
    if (this.#isAwake) return;
    const alarm = new Promise<void>((resolve) => {
      this.#alarm = resolve;
    });
    await Promise.race([alarm, this.options.clock.sleep(ms)]);
    this.#alarm = undefined;
  }

  /** Undefined when there is nothing new to say: an old worker answered, or haproxy is away for a moment. */
  async #look(): Promise<Mesh | undefined> {
    const { clock, log } = this.options;
    try {
      const lines = this.#running && this.#applier ? await this.#applier.lines(this.#running) : [];
      const running = await this.#ask(lines);
      if (running === 'stopping') return undefined;
      this.#running = running;
      this.#lastGoodMs = clock.monotonic();
      return this.#mesh(running);
    } catch (error) {
      if (clock.monotonic() - this.#lastGoodMs < defaults.meshGoneMs) return undefined;
      if (this.#current?.readable) log.warn({ err: error }, 'haproxy does not answer');
      this.#running = undefined;
      return this.#mesh(undefined);
    }
  }

  /** Carries out the lines, then reads. Lines for one worker are of no use to the next: then only the reading counts. */
  async #ask(lines: readonly string[]): Promise<Running | 'stopping'> {
    const { socketPath, log } = this.options;
    let running: Running | 'stopping' = 'stopping';
    for (const question of questions(lines)) {
      const answer = await ask(socketPath, question, defaults.meshReadMs, defaults.meshReadBytes);
      running = parseAnswer(answer);
      if (lines.length > 0) log.debug({ question, answer }, 'haproxy was changed');
      if (running === 'stopping' || (lines.length > 0 && running.pid !== this.#running?.pid)) break;
    }
    return running;
  }

  /** Where confd's file says something else than haproxy serves, one of them is older: tells confd's command when it is the file. */
  async #vouch(): Promise<void> {
    const { record: paths, source, log } = this.options;
    const running = this.#running;
    if (!running || !this.#record || !paths || !source) return;
    const { stamp, servers } = this.#record.file();
    const active = inRotation(running);
    const text = voucherText({ stamp, servers: active });
    if (stamp === '' || text === this.#voucher || sameServers(active, servers)) return;
    try {
      // Read after the file: what it says cannot be older.
      if (!serves(running, await source.fresh())) return;
      writeVoucher(paths.voucher, text);
      this.#voucher = text;
    } catch (error) {
      log.debug({ err: error }, 'etcd does not say whether the file or haproxy is older');
    }
  }

  #mesh(running: Running | undefined): Mesh {
    const expected = this.options.source?.current();
    if (running && expected && serves(running, expected)) this.#revision = expected.revision;
    return {
      readable: running !== undefined,
      servers: running ? servedServers(running, this.#record?.servers(running.description) ?? []) : [],
      revision: this.#revision,
      seenRevision: expected?.revision ?? 0,
      // Where there is no haproxy there are no routes that could be wrong.
      warnings: running ? (this.options.warnings?.() ?? []) : [],
    };
  }

  /** False when it was too early to tell; what is told later is what holds then. */
  #tell(mesh: Mesh): boolean {
    const text = JSON.stringify(mesh);
    if (text === this.#text) return true;
    const now = this.options.clock.monotonic();
    if (now - this.#toldMs < defaults.meshTellMs) return false;
    this.#toldMs = now;
    this.#text = text;
    this.#current = mesh;
    try {
      this.options.onChange(mesh);
    } catch (error) {
      this.options.log.error({ err: error }, 'a change of the mesh could not be told');
    }
    return true;
  }
}
