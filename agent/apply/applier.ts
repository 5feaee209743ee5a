/** Carries out orders: one job at a time, each step persisted before it is done, a newer order waits and replaces one that waits. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Manifest } from '../../proto/gen/nixinfra/v1/bundle.js';
import { checkFiles, revisionOf } from '../../shared/bundle/manifest.js';
import { Problem } from '../../shared/errors.js';
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import type { Activator } from './activator.js';
import { BlobCache } from './blob-cache.js';
import { drainCandidates, toDrain } from './drain.js';
import {
  advance,
  decide,
  type Job,
  type JobPhase,
  judge,
  type OutcomeName,
  onRestart,
  type StoredResult,
} from './job.js';
import { clear, stage, unstage } from './stage.js';
import type { StateFiles } from './state-files.js';

/** What the applier needs of the apps on this node. */
export interface AppsControl {
  declared(): { id: string; unit: string }[];
  /** Takes the instances out of the mesh and keeps them out; resolves when etcd has confirmed or the limit is over. */
  drain(ids: readonly string[]): Promise<void>;
  /** Lets them in again once they prove healthy anew. */
  release(): void;
  /** Reads the declarations again. */
  reload(): Promise<void>;
  /** Resolves with the ids that are not healthy when all are, or when their time is over. */
  settled(limitMs: number): Promise<string[]>;
}

export interface Reporter {
  progress(revision: string, phase: JobPhase, message: string): void;
  result(result: StoredResult): void;
}

export interface ApplierParts {
  node: string;
  configDir: string;
  stateDir: string;
  files: StateFiles;
  activator: Activator;
  apps: AppsControl;
  clock: Clock;
  log: Logger;
  report: Reporter;
  /** Fetches blobs from the controller of the moment, one by one as gzip. */
  fetch(hashes: string[]): AsyncIterable<{ sha256: string; gzip: Uint8Array }>;
}

interface Order {
  manifest: Manifest;
  firstOnStream: boolean;
}

class Rejected extends Error {
  constructor(
    message: string,
    readonly log: string[] = [],
  ) {
    super(message);
  }
}

export class Applier {
  readonly #cache: BlobCache;
  #waiting: Order | undefined;
  #running: Promise<void> | undefined;
  #job: Job | undefined;
  #stopped = false;

  constructor(private readonly parts: ApplierParts) {
    this.#cache = new BlobCache(join(parts.stateDir, 'blobs'));
  }

  /** Takes up what a former run of the agent left; must end before orders are taken. The job itself runs on. */
  async recover(): Promise<void> {
    const { files, configDir, apps, log } = this.parts;
    const job = await files.job();
    if (!job) return;
    const todo = onRestart(job);
    log.info({ revision: job.revision, phase: job.phase, todo }, 'an open job was found');
    if (todo === 'undo') {
      if (job.phase !== 'fetching') await unstage(configDir);
      await files.dropJob();
      return;
    }
    // Without waiting: the keys are gone since before the switch, or the lease ends.
    void apps.drain(job.drained);
    this.#run(() => this.#finish(job));
  }

  order(manifest: Manifest, firstOnStream: boolean): void {
    if (this.#job?.revision === manifest.revision) {
      this.#waiting = undefined;
      return;
    }
    this.#waiting = { manifest, firstOnStream };
    if (!this.#running) this.#next();
  }

  /** The phase of the running job, for a controller that connects in the middle of it. */
  running(): { revision: string; phase: JobPhase } | undefined {
    return this.#job && { revision: this.#job.revision, phase: this.#job.phase };
  }

  /** No new job begins; a running switch goes on without us. */
  stop(): void {
    this.#stopped = true;
    this.#waiting = undefined;
  }

  #next(): void {
    const order = this.#waiting;
    this.#waiting = undefined;
    if (order && !this.#stopped) this.#run(() => this.#take(order));
  }

  #run(work: () => Promise<void>): void {
    this.#running = work()
      .catch((error: unknown) => this.parts.log.error({ err: error }, 'a job broke'))
      .finally(() => {
        this.#running = undefined;
        this.#job = undefined;
        this.#next();
      });
  }

  async #take({ manifest, firstOnStream }: Order): Promise<void> {
    const { files, activator, clock, report } = this.parts;
    const result = (await files.result()) ?? (await firstResult(files));
    const currentSystem = await activator.currentSystem();
    const known = { result, currentSystem, nowMs: clock.now() };
    const todo = decide({ revision: manifest.revision, firstOnStream }, known, defaults.retryFailedMs);
    if (todo === 'repeat' && result) report.result(result);
    else if (todo === 'unchanged' && result)
      report.result({ ...result, outcome: 'unchanged', message: '', log: [], durationMs: 0 });
    else await this.#apply(manifest, currentSystem);
  }

  async #enter(job: Job, phase: JobPhase, facts: Partial<Job> = {}, message = ''): Promise<Job> {
    const next = job.phase === phase ? job : advance(job, phase, facts);
    this.#job = next;
    await this.parts.files.putJob(next);
    this.parts.report.progress(next.revision, phase, message);
    this.parts.log.info({ revision: next.revision, phase }, 'apply');
    return next;
  }

  async #apply(manifest: Manifest, currentSystem: string): Promise<void> {
    const { node, configDir, activator, apps, clock } = this.parts;
    let job: Job = {
      revision: manifest.revision,
      phase: 'fetching',
      startedMs: clock.now(),
      previousSystem: currentSystem,
      failedBefore: await activator.failedUnits().catch(() => []),
      drained: [],
    };
    try {
      job = await this.#enter(job, 'fetching');
      this.#check(manifest);
      await this.#fetch(manifest);
      await clear(configDir);
      job = await this.#enter(job, 'staging');
      await stage(configDir, manifest.files, (hash) => this.#cache.read(hash));
      job = await this.#enter(job, 'building');
      const built = await activator.build(node, configDir);
      if (!built.ok) throw new Rejected('the configuration does not build', built.log);
      const candidates = await drainCandidates(apps.declared(), activator, currentSystem, built.system);
      const drained = toDrain(candidates);
      job = await this.#enter(job, 'draining', { system: built.system, drained }, drained.join(' '));
      if (drained.length > 0) {
        await apps.drain(drained);
        await clock.sleep(defaults.drainMs);
      }
      await activator.forgetSwitch();
      job = await this.#enter(job, 'switching');
      await activator.startSwitch(built.system);
    } catch (error) {
      // Nothing but /etc/nixos has changed so far, and in the first phase not even that: what stands beside it is of an older job.
      if (job.phase !== 'fetching') await unstage(configDir);
      apps.release();
      const problem = Problem.from(error);
      const log = error instanceof Rejected ? error.log : [...problem.log];
      const reason = [problem.message, problem.where, problem.reason].filter(
        (part, at, all) => part && all.indexOf(part) === at,
      );
      await this.#end(
        job,
        'rejected',
        error instanceof Rejected ? error.message : reason.join(': '),
        log,
        currentSystem,
      );
      return;
    }
    await this.#finish(job);
    await this.#cache.keepOnly(manifest.files.map((file) => file.sha256));
  }

  /** From a switch that has been started to the result; also where a restarted agent continues. */
  async #finish(job: Job): Promise<void> {
    try {
      await this.#settle(job);
    } catch (error) {
      // The switch has begun, so "rejected" would be a lie; and nobody may stay drained because of us.
      this.parts.apps.release();
      const problem = Problem.from(error);
      const message = `the switch could not be followed to its end: ${problem.reason ?? problem.message}`;
      await this.#end(this.#job ?? job, 'unhealthy', message, [], await this.parts.activator.currentSystem());
    }
  }

  async #settle(open: Job): Promise<void> {
    const { activator, apps, configDir, clock, files } = this.parts;
    let job = open;
    this.#job = job;
    const system = job.system as string;
    let log: string[] = [];
    if (job.phase === 'switching') {
      let switched = await activator.awaitSwitch();
      if (!switched) {
        await activator.startSwitch(system);
        switched = await activator.awaitSwitch();
      }
      const { exit, log: lines } = switched ?? { exit: 1, log: ['the switch was cut off twice'] };
      log = lines;
      if ((await activator.currentSystem()) !== system) {
        await unstage(configDir);
        apps.release();
        const message = `the new system could not be activated (exit code ${exit})`;
        await this.#end(job, 'rejected', message, log, await activator.currentSystem());
        return;
      }
      await files.putApplied({ revision: job.revision, system });
      job = await this.#enter(job, 'settling', { switchExit: exit });
    }
    await apps.reload();
    apps.release();
    await clock.sleep(defaults.settleMinMs);
    const unhealthyApps = await apps.settled(defaults.settleMs);
    const failed = await activator.failedUnits();
    const newFailed = failed.filter((unit) => !job.failedBefore.includes(unit));
    const { outcome, message } = judge({ switchExit: job.switchExit ?? 0, newFailed, unhealthyApps });
    if (outcome === 'unhealthy') {
      const units = apps.declared().filter((app) => unhealthyApps.includes(app.id));
      for (const unit of new Set([...newFailed, ...units.map((app) => app.unit)]))
        log.push(...(await activator.explainUnit(unit)));
    }
    await this.#end(job, outcome, message, outcome === 'applied' ? [] : log, system);
  }

  async #end(job: Job, outcome: OutcomeName, message: string, log: string[], system: string): Promise<void> {
    const { files, clock, report } = this.parts;
    const atMs = clock.now();
    const lines = log.slice(-defaults.logLines).map((line) => line.slice(0, defaults.logLineChars));
    const result: StoredResult = {
      revision: job.revision,
      outcome,
      message,
      log: lines,
      system,
      durationMs: atMs - job.startedMs,
      atMs,
    };
    await files.putResult(result);
    await files.dropJob();
    this.parts.log.info(
      { revision: job.revision, outcome, message, durationMs: result.durationMs },
      'apply ended',
    );
    report.result(result);
  }

  #check(manifest: Manifest): void {
    const { node } = this.parts;
    checkFiles(manifest.files);
    // The controller is trusted to choose a revision, not to say what is in it.
    if (manifest.node !== node || revisionOf(node, manifest.files) !== manifest.revision) {
      throw new Problem('bundle.invalid', 'A bundle is not acceptable', {
        where: node,
        reason: 'the revision is not that of the files',
      });
    }
  }

  async #fetch(manifest: Manifest): Promise<void> {
    const { fetch, clock, log } = this.parts;
    const hashes = manifest.files.map((file) => file.sha256);
    for (let attempt = 1; ; attempt++) {
      try {
        const missing = await this.#cache.missing(hashes);
        for (let at = 0; at < missing.length; at += defaults.blobsPerRequest) {
          const some = missing.slice(at, at + defaults.blobsPerRequest);
          for await (const { sha256, gzip } of fetch(some)) await this.#cache.put(sha256, gzip);
        }
        if ((await this.#cache.missing(hashes)).length === 0) return;
        throw new Error('the controller did not send every file');
      } catch (error) {
        if (error instanceof Problem || attempt >= defaults.fetchAttempts) throw error;
        log.warn({ attempt, err: error }, 'the files could not be fetched; trying again');
        await clock.sleep(defaults.fetchRetryMs);
      }
    }
  }
}

/** What bootstrap left counts as a result, so that the first order after it does not apply the same files again. */
async function firstResult(files: StateFiles): Promise<StoredResult | undefined> {
  const applied = await files.applied();
  return applied && { ...applied, outcome: 'applied', message: '', log: [], durationMs: 0, atMs: 0 };
}
