/** Takes orders: one job at a time, each carried out once, none of the past. A newer order waits, and replaces one that waits. */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Desired } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Manifest } from '../../proto/gen/nixinfra/v1/bundle.js';
import { Problem } from '../../shared/errors.js';
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import { type Fence, judgeOrder, raise } from './fence.js';
import { decide, type Ending, isJob, type Job, type JobPhase, onRestart, type StoredResult } from './job.js';
import { JobRun, type JobRunParts, Stopped } from './job-run.js';
import type { Turn } from './turn.js';

export interface Reporter {
  progress(revision: string, phase: JobPhase, message: string, order: string): void;
  result(result: StoredResult): void;
}

export type ApplierParts = Omit<JobRunParts, 'onPhase' | 'isStopped' | 'isSuperseded'> & {
  clock: Clock;
  log: Logger;
  turn: Turn;
  report: Reporter;
  /** An order waits for its turn: what is no order shall end soon. */
  onWaiting(): void;
};

type Order = Desired & { manifest: Manifest };

const restarted = 'the node was restarted before the new system was confirmed';

export class Applier {
  #fence: Fence = { epoch: 0, token: 0, change: 0 };
  #fenced: Promise<void> = Promise.resolve();
  #results: StoredResult[] = [];
  #waiting: Order | undefined;
  #working = false;
  #job: Job | undefined;
  /** The order whose turn has come, from that very moment on: its job is made up only later. */
  #taken: string | undefined;
  #stopped = false;
  #lastMessage = '';

  constructor(private readonly parts: ApplierParts) {}

  /** Takes up what a former run of the agent left; must end before orders are taken. The job itself runs on. */
  async recover(): Promise<void> {
    const { files, activator, apps, log } = this.parts;
    await files.keepBallast();
    this.#fence = await files.fence();
    this.#results = await files.results();
    const job = await files.job();
    if (!job) return;
    if (!isJob(job)) {
      // Of a former release, which knew no orders. What it applied it has written elsewhere; the rest the next order finds out.
      log.warn('an open job of a former release is dropped');
      return files.dropJob();
    }
    if (this.#results.some((result) => result.order === job.order)) return files.dropJob();
    const facts = {
      bootId: await activator.bootId(),
      currentSystem: await activator.currentSystem(),
      profileSystem: await activator.profileSystem(),
    };
    const todo = onRestart(job, facts);
    log.info({ order: job.order, phase: job.phase, todo }, 'an open job was found');
    if (todo === 'again') return files.dropJob();
    // Without waiting: the keys are gone since before the activation, or the lease ends.
    void apps.hold(job.held);
    const open: Job =
      todo === 'done'
        ? { ...job, phase: 'committing', bootDefaultTouched: true }
        : todo === 'go back'
          ? { ...job, phase: 'restoring', failure: job.failure ?? { message: restarted, log: [] } }
          : job;
    this.#taken = open.order;
    this.#start(async () => this.#end(open, await this.#runOf(open).goOn()));
  }

  order(desired: Desired): void {
    const { log, report, files } = this.parts;
    if (!desired.manifest) return;
    const { order: id, epoch, token, change } = desired;
    const mark = { id, epoch, token, change };
    const ended = this.#results.map((result) => result.order);
    const result = this.#results.find((one) => one.order === id);
    const verdict = judgeOrder(mark, { ...this.#fence, ended, running: this.#taken });
    if (verdict === 'refuse') {
      log.warn({ ...mark, seen: this.#fence }, 'an order of the past is refused');
      // What became of it is true all the same, and a controller over a restored etcd may not know it any more.
      if (result) report.result(result);
      return;
    }
    const fence = raise(this.#fence, mark);
    if (JSON.stringify(fence) !== JSON.stringify(this.#fence)) {
      // One write at a time; what the last one came to is looked at before an order is carried out.
      this.#fenced = this.#fenced.catch(() => {}).then(() => files.putFence(fence));
      this.#fenced.catch((error: unknown) => log.error({ err: error }, 'the fence cannot be written'));
    }
    this.#fence = fence;
    if (verdict === 'repeat' && result) report.result(result);
    // What waited is of the past, whatever this order is.
    this.#waiting = verdict === 'take' ? { ...desired, manifest: desired.manifest } : undefined;
    if (!this.#working) this.#next();
  }

  /** The phase of the running job, for a controller that connects in the middle of it. */
  tellProgress(): void {
    const job = this.#job;
    if (job) this.parts.report.progress(job.revision, job.phase, this.#lastMessage, job.order);
  }

  /** No new job begins; a running activation goes on without us. */
  stop(): void {
    this.#stopped = true;
    this.#waiting = undefined;
  }

  #next(): void {
    if (!this.#waiting || this.#stopped) return;
    this.#start(async () => {
      // Whatever is newest when its turn comes.
      const order = this.#waiting;
      this.#waiting = undefined;
      if (!order || this.#stopped) return;
      this.#taken = order.order;
      await this.#take(order);
    });
    // Once its turn is asked for: what gives way asks for another one behind it.
    this.parts.onWaiting();
  }

  #start(work: () => Promise<void>): void {
    this.#working = true;
    void this.parts.turn
      .take(work)
      .catch((error: unknown) => {
        if (!(error instanceof Stopped)) this.parts.log.error({ err: error }, 'a job broke');
      })
      .finally(() => {
        this.#working = false;
        this.#job = undefined;
        this.#taken = undefined;
        this.#next();
      });
  }

  #runOf(job: Job): JobRun {
    this.#job = job;
    return new JobRun(
      {
        ...this.parts,
        isStopped: () => this.#stopped,
        isSuperseded: () => this.#waiting !== undefined && this.#waiting.order !== job.order,
        onPhase: (now, message) => {
          this.#job = now;
          this.#lastMessage = message;
          this.parts.log.info(
            { order: now.order, revision: now.revision, phase: now.phase, message },
            'apply',
          );
          this.tellProgress();
        },
      },
      job,
    );
  }

  async #take(order: Order): Promise<void> {
    const { files, activator, clock, report } = this.parts;
    const known = this.#results.find((one) => one.order === order.order);
    if (known) return report.result(known);
    const currentSystem = await activator.currentSystem();
    const job: Job = {
      order: order.order,
      token: order.token,
      change: order.change,
      revision: order.manifest.revision,
      options: order.options ?? noOptions,
      phase: 'fetching',
      startedMs: clock.now(),
      bootId: '',
      previousSystem: currentSystem,
      nonce: randomUUID(),
      held: [],
    };
    this.#job = job;
    try {
      await this.#fenced;
    } catch (error) {
      const { message } = error as Error;
      return this.#end(job, { outcome: 'rejected', message: `nothing can be written: ${message}`, log: [] });
    }
    const todo = decide(order.manifest, { applied: await files.applied(), currentSystem });
    if (todo === 'unchanged') return this.#end(job, { outcome: 'unchanged', message: '', log: [] });
    await this.#end(job, await this.#runOf(job).carryOut(order.manifest));
  }

  async #end(job: Job, ending: Ending): Promise<void> {
    const { files, clock, report, activator, log } = this.parts;
    const atMs = clock.now();
    const result: StoredResult = {
      order: job.order,
      revision: job.revision,
      outcome: ending.outcome,
      message: ending.message,
      log: ending.log.slice(-defaults.logLines).map((line) => line.slice(0, defaults.logLineChars)),
      system: await activator.currentSystem(),
      // Over a restart there is only the wall clock, which may have been set meanwhile.
      durationMs: Math.max(0, atMs - job.startedMs),
      atMs,
    };
    const { order, revision, outcome, message, durationMs } = result;
    log.info({ order, revision, outcome, message, durationMs }, 'apply ended');
    this.#results = [result, ...this.#results.filter((one) => one.order !== order)].slice(
      0,
      defaults.resultsKept,
    );
    this.#job = undefined;
    try {
      // In this order: a job without its result would be carried out once more.
      await files.putResult(result);
      await files.dropJob();
      await files.keepBallast();
    } catch (error) {
      log.error({ err: Problem.from(error) }, 'the result cannot be written');
    }
    report.result(result);
  }
}

const noOptions = { drainAckMs: 0, drainMs: 0, settleMs: 0, confirmMs: 0, routeMs: 0, force: false };
