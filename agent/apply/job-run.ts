/** Carries one order through its phases, from whichever it is in. Each phase is persisted before it is begun. */
import { rm } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { Manifest } from '../../proto/gen/nixinfra/v1/bundle.js';
import { Problem } from '../../shared/errors.js';
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import { besideOf } from '../system/swap.js';
import type { Activator, Ended } from './activator.js';
import type { AppsControl } from './apps-control.js';
import { advance, type Ending, type Job, type JobPhase } from './job.js';
import type { MeshGate } from './mesh-gate.js';
import { type Preparation, Rejected } from './preparation.js';
import { type Failure, lookBefore, Overtaken, type Prover } from './prover.js';
import { bringBeside, keepPrevious, swapBack, swapIn } from './stage.js';
import type { StateFiles } from './state-files.js';
import { wayBack } from './way-back.js';

export interface JobRunParts {
  configDir: string;
  files: StateFiles;
  activator: Activator;
  apps: AppsControl;
  mesh: MeshGate;
  preparation: Preparation;
  prover: Prover;
  confirmation: {
    ask(order: string, nonce: string): void;
    isConfirmed(nonce: string): boolean;
    end(): void;
  };
  clock: Clock;
  log: Logger;
  /** Told at each new phase. */
  onPhase(job: Job, message: string): void;
  /** True when this process shall end: the job goes on in the next. */
  isStopped(): boolean;
  /** True when a newer order waits: this one will not be confirmed any more. */
  isSuperseded(): boolean;
}

/** The process ends; what is on disk is taken up by the next one. */
export class Stopped extends Error {}

const cutOff = 'the watchdog brought the node back: no confirmation in time';

/** What an activation said that did not end well: often the reason why nobody could confirm it. */
function wordsOf(activation: Ended | undefined): string[] {
  return activation && activation.exit !== 0 ? activation.log : [];
}

export class JobRun {
  constructor(
    private readonly parts: JobRunParts,
    private job: Job,
  ) {}

  /** The order from its beginning. Throws Stopped alone. */
  async carryOut(manifest: Manifest): Promise<Ending> {
    try {
      await this.#untilActivating(manifest);
    } catch (error) {
      if (error instanceof Stopped) throw error;
      return this.#reject(error);
    }
    return this.goOn();
  }

  /** From the phase that the job is in; at least `activating`. Throws Stopped alone. */
  async goOn(): Promise<Ending> {
    for (;;) {
      if (this.parts.isStopped()) throw new Stopped();
      try {
        const ending = await this.#step();
        if (ending) return ending;
      } catch (error) {
        if (error instanceof Stopped || this.parts.isStopped()) throw new Stopped();
        await this.#unexpected(error);
      }
    }
  }

  /** An error that no step knows: before the commit the way is back, afterwards the job ends with what it has. */
  async #unexpected(error: unknown): Promise<void> {
    const { log, clock } = this.parts;
    const reason = Problem.from(error).reason ?? String(error);
    log.error({ phase: this.job.phase, err: error }, 'a step failed');
    if (['activating', 'proving', 'committing'].includes(this.job.phase))
      return this.#goBack({ message: reason, log: [] });
    // Restoring and routing have to succeed: the next attempt may.
    await clock.sleep(defaults.stateRetryMs);
  }

  async #untilActivating(manifest: Manifest): Promise<void> {
    const { activator, preparation, mesh, configDir } = this.parts;
    await this.#enter('fetching');
    const made = await preparation.make(manifest, (phase) => this.#enter(phase));
    const held = made.changes.apps.map((app) => app.id);
    const { system, changes } = made;
    await this.#enter('draining', { system, changes, held }, held.join(' '));
    await mesh.drain(this.job);
    const before = await lookBefore(activator, this.job.previousSystem);
    // The boot default is kept anyway; what ran may be another one, activated by hand.
    if (this.job.previousSystem !== '') await activator.keep('previous', this.job.previousSystem);
    await bringBeside(preparation.folderOf(this.job.revision), configDir, this.job.revision);
    await activator.forgetActivation();
    const bootId = await activator.bootId();
    await this.#enter('activating', { before, bootId });
  }

  /** One phase of those from the activation on; the ending after the last. */
  async #step(): Promise<Ending | undefined> {
    switch (this.job.phase) {
      case 'activating':
        await this.#activate();
        return undefined;
      case 'proving':
        await this.#prove();
        return undefined;
      case 'committing':
        await this.#commit();
        return undefined;
      case 'restoring':
        await this.#restore();
        return undefined;
      case 'routing':
        return this.#route();
      default:
        throw new Error(`a job cannot go on from ${this.job.phase}`);
    }
  }

  async #activate(): Promise<void> {
    const { activator, configDir, clock } = this.parts;
    const { nonce, revision, previousSystem, system = '' } = this.job;
    // Before the activation one that runs may be that of the order before, which is about to end.
    const ours = (await activator.activationBegan()) && (await activator.watchdogRuns());
    if (!(await activator.verdict(nonce)) && !ours)
      await activator.armWatchdog({
        nonce,
        configDir,
        revision,
        previousSystem,
        confirmMs: this.#confirmMs(),
      });
    const runs = await activator.watchdogRuns();
    const verdict = await activator.verdict(nonce);
    if (verdict === 'restore') return this.#goBack({ message: cutOff, log: [] });
    // Without it nothing would bring the node back.
    if (!runs && !verdict) return this.#goBack({ message: 'the watchdog does not run', log: [] });
    await swapIn(configDir, revision);
    if (!(await activator.activationBegan())) await activator.startActivation(system, nonce);
    for (;;) {
      const end = await activator.activation();
      if ((await activator.verdict(nonce)) === 'restore')
        return this.#goBack({ message: cutOff, log: end && end !== 'cut' ? wordsOf(end) : [] });
      if (end) {
        const activation = end === 'cut' ? { exit: 1, log: ['the activation was cut off'] } : end;
        if ((await activator.currentSystem()) === system) {
          await this.#enter('proving', { activation });
          return;
        }
        const message = `the new system could not be activated (exit code ${activation.exit})`;
        return this.#goBack({ message, log: activation.log });
      }
      await this.#pause(clock, defaults.unitPollMs);
    }
  }

  async #prove(): Promise<void> {
    const { activator, apps, prover, confirmation, clock } = this.parts;
    const { nonce, order, options, activation } = this.job;
    await apps.renew();
    let failure: Failure | undefined;
    try {
      failure = await prover.prove(this.job);
    } catch (error) {
      if (error instanceof Overtaken) return this.#goBack({ message: cutOff, log: wordsOf(activation) });
      throw error;
    }
    // 4 says that units failed, which has been looked at: one that came up after all is up.
    if (!failure && activation && activation.exit !== 0 && activation.exit !== 4)
      failure = { message: `the activation ended with exit code ${activation.exit}`, log: activation.log };
    if (failure && !options?.force) return this.#goBack(failure);
    // The watchdog keeps the time, also over a restart of ours; this is for one that somebody ended.
    const deadline = clock.monotonic() + this.#confirmMs() + defaults.watchdogSlackMs;
    confirmation.ask(order, nonce);
    try {
      while (!confirmation.isConfirmed(nonce)) {
        if (this.parts.isSuperseded())
          return await this.#goBack({ message: 'a newer order came before it was confirmed', log: [] });
        if (clock.monotonic() > deadline || (await activator.verdict(nonce)) === 'restore')
          return await this.#goBack({ message: cutOff, log: wordsOf(activation) });
        await this.#pause(clock, defaults.unitPollMs);
      }
    } finally {
      confirmation.end();
    }
    if ((await activator.claim(nonce, 'confirmed')) === 'restore')
      return this.#goBack({ message: cutOff, log: wordsOf(activation) });
    await this.#enter('committing', { bootDefaultTouched: true, ...(failure && { failure }) });
  }

  async #commit(): Promise<void> {
    const { activator, files, configDir } = this.parts;
    const { revision, system = '', failure, changes } = this.job;
    try {
      await activator.commit(system);
    } catch (error) {
      const reason = Problem.from(error).reason ?? '';
      return this.#goBack({ message: `it could not be made the boot default: ${reason}`, log: [] });
    }
    await files.putApplied({ revision, system });
    await keepPrevious(configDir);
    const outcome = failure ? 'unhealthy' : changes?.needsReboot ? 'needs-reboot' : 'applied';
    const message = outcome === 'needs-reboot' ? 'the new kernel takes effect with the next boot' : '';
    const ending: Ending = { outcome, message: failure?.message ?? message, log: failure?.log ?? [] };
    await this.#enter('routing', { ending });
  }

  async #goBack(failure: Failure): Promise<void> {
    await this.#enter('restoring', { failure }, failure.message);
  }

  async #restore(): Promise<void> {
    const { apps, configDir } = this.parts;
    const { revision, failure } = this.job;
    const { troubles, log } = await wayBack(this.parts, this.job, {
      pause: (ms) => this.#pause(this.parts.clock, ms),
      rename: async (nonce) => {
        this.job = { ...this.job, nonce };
        await this.#persist(this.job);
      },
    });
    await swapBack(configDir, revision);
    await apps.renew();
    const ending: Ending = {
      outcome: troubles.length === 0 ? 'rolled-back' : 'unhealthy',
      message: [failure?.message ?? '', ...troubles].join('; and '),
      log: [...log.slice(-10), ...(failure?.log ?? [])],
    };
    await this.#enter('routing', { ending });
  }

  async #route(): Promise<Ending> {
    const ending = this.job.ending ?? { outcome: 'unhealthy', message: 'its end was lost', log: [] };
    const told = await this.parts.mesh.open(this.job);
    const message = [ending.message, told].filter((part) => part !== '').join('; ');
    return { ...ending, message };
  }

  async #reject(error: unknown): Promise<Ending> {
    const { apps, configDir, log } = this.parts;
    apps.release();
    await rm(besideOf(configDir), { recursive: true, force: true }).catch(() => {});
    log.warn({ order: this.job.order, err: error }, 'an order is rejected');
    if (error instanceof Rejected)
      return { outcome: 'rejected', message: error.message, log: [...error.log] };
    const problem = Problem.from(error);
    const parts = [problem.code === 'internal' ? '' : problem.message, problem.where, problem.reason];
    const said = parts.filter((part, at, all) => part && all.indexOf(part) === at);
    return { outcome: 'rejected', message: said.join(': '), log: [...problem.log] };
  }

  async #enter(phase: JobPhase, facts: Partial<Job> = {}, message = ''): Promise<void> {
    if (this.parts.isStopped()) throw new Stopped();
    const next = this.job.phase === phase ? { ...this.job, ...facts } : advance(this.job, phase, facts);
    const begun = ['proving', 'committing', 'routing', 'restoring'].includes(phase);
    // Before the activation a step that cannot be written is not done. Afterwards it must be done: the facts are found again anyway.
    if (begun) await this.#persist(next);
    else await this.parts.files.putJob(next);
    this.job = next;
    this.parts.onPhase(next, message);
  }

  async #persist(job: Job): Promise<void> {
    await this.parts.files
      .putJob(job)
      .catch((error: unknown) => this.parts.log.error({ err: error }, 'the job cannot be written'));
  }

  #confirmMs(): number {
    return this.job.options?.confirmMs || defaults.confirmMs;
  }

  async #pause(clock: Clock, ms: number): Promise<void> {
    if (this.parts.isStopped()) throw new Stopped();
    await clock.sleep(ms);
  }
}
