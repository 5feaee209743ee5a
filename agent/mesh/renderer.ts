/**
 * Watches over confd: v0.16 forgets a change when reading etcd fails after it was told of it, and may hang over etcd's restarts. What the
 * file should hold is known here from an own list-watch; when the file stays behind while etcd answers, confd is restarted.
 */
import { access, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import type { MeshWarning } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Entry, EtcdStore, Watch } from '../../shared/etcd/store.js';
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import { isLate, look, noLag, restarted, restartIsDue } from './lag.js';
import { holds, parseRendered } from './rendered.js';
import { type Routes, readRoutes, type Subscriber } from './routes.js';
import { capped } from './warnings.js';

export interface RendererOptions {
  subscriber: Subscriber;
  /** The file that confd writes. */
  configFile: string;
  etcd: EtcdStore;
  clock: Clock;
  log: Logger;
  /** Restarts confd; rejects when it cannot. */
  restartConfd(): Promise<void>;
  /** The warnings or the expected servers are others than before. */
  onChange?(): void;
}

export interface ExpectedServer {
  backend: string;
  /** Id of the instance. */
  server: string;
  /** `address:port` */
  address: string;
}

export class Renderer {
  readonly #entries = new Map<string, Entry>();
  #revision = 0;
  #routes: Routes | undefined;
  #stale = true;
  #lag = noLag;
  #watch: Watch | undefined;
  #told = '';
  /** Each start has its own loop; one that was stopped while it looked must not go on. */
  #round = 0;

  constructor(private readonly options: RendererOptions) {}

  start(): void {
    if (this.#watch) return;
    this.#watch = this.options.etcd.watchPrefix('/cluster/', ({ key, entry }) => {
      if (entry) this.#entries.set(key, entry);
      else this.#entries.delete(key);
      this.#revision = Math.max(this.#revision, entry?.modRevision ?? 0);
      this.#stale = true;
    });
    this.#round += 1;
    void this.#run(this.#round, this.#watch);
  }

  stop(): void {
    this.#round += 1;
    this.#watch?.close();
    this.#watch = undefined;
  }

  /**
   * What haproxy should serve, at least at this revision of etcd; undefined before etcd has been read for the first time. A key that
   * goes leaves no revision behind, so after one the revision may be lower than etcd's.
   */
  expected(): { revision: number; servers: ExpectedServer[] } | undefined {
    const routes = this.#current()?.routes;
    return routes && { revision: this.#revision, servers: serversOf(routes) };
  }

  /** What is wrong with what is registered, or with who renders it. */
  warnings(): MeshWarning[] {
    const warnings = this.#current()?.warnings ?? [];
    if (!isLate(this.#lag, this.options.clock.monotonic())) return capped(warnings);
    const { restarts } = this.#lag;
    const message = `the routes of ${this.options.configFile} do not follow etcd; confd was restarted ${restarts === 1 ? 'once' : `${restarts} times`}`;
    return capped([{ code: 'mesh.lagging', subject: 'confd.service', message }, ...warnings]);
  }

  #current(): Routes | undefined {
    if (!this.#stale || !this.#routes) return this.#routes;
    this.#read();
    return this.#routes;
  }

  #read(): void {
    this.#stale = false;
    this.#routes = readRoutes([...this.#entries.values()], this.options.subscriber);
  }

  async #run(round: number, watch: Watch): Promise<void> {
    const { clock, log } = this.options;
    await watch.ready;
    while (round === this.#round) {
      await this.#check(round).catch((error: unknown) =>
        log.warn({ err: error }, 'confd could not be watched'),
      );
      await clock.sleep(defaults.renderPollMs);
    }
  }

  async #check(round: number): Promise<void> {
    const { clock, configFile } = this.options;
    const text = await readFile(configFile, 'utf8').catch(() => undefined);
    // A node without haproxy has no folder for its file, and routes nothing.
    if (text === undefined && !(await exists(dirname(configFile)))) return;
    if (round !== this.#round) return;
    if (this.#stale || !this.#routes) this.#read();
    const isRight = text !== undefined && holds(parseRendered(text), this.#routes?.routes ?? []);
    const wasLate = isLate(this.#lag, clock.monotonic());
    this.#lag = look(this.#lag, text ?? '', isRight, clock.monotonic());
    if (wasLate && isRight) this.options.log.info('the routes follow etcd again');
    if (restartIsDue(this.#lag, clock.monotonic())) await this.#restart(round);
    this.#tell();
  }

  /** Only while etcd answers, and by what it says now: without it there is nothing that confd could render, and no cause to blame it. */
  async #restart(round: number): Promise<void> {
    const { etcd, clock, log } = this.options;
    const listing = await etcd.getPrefix('/cluster/').catch(() => undefined);
    if (!listing || round !== this.#round) return;
    const routes = readRoutes(listing.entries, this.options.subscriber).routes;
    const text = await readFile(this.options.configFile, 'utf8').catch(() => '');
    if (round !== this.#round) return;
    if (holds(parseRendered(text), routes)) {
      // It is the own watch that is behind.
      this.#lag = noLag;
      return;
    }
    this.#lag = restarted(this.#lag, clock.monotonic());
    log.warn({ restarts: this.#lag.restarts }, 'the routes do not follow etcd; restarting confd');
    await this.options.restartConfd();
  }

  #tell(): void {
    const text = JSON.stringify([this.warnings(), this.expected()?.servers]);
    if (text === this.#told) return;
    this.#told = text;
    this.options.onChange?.();
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function serversOf(routes: Routes['routes']): ExpectedServer[] {
  return routes.flatMap(({ backend, servers }) =>
    servers.map(({ id, address }) => ({ backend, server: id, address })),
  );
}
