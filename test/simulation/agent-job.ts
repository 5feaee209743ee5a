/** How the model agent carries out one order: the phases of the real one, each entered on disk before it is done. */
import type { Agent } from './agent.js';

export interface JobRecord {
  order: string;
  revision: string;
  token: number;
  change: number;
  confirmMs: number;
  force: boolean;
  /** What ran when it was taken. */
  from: string;
  phase: 'building' | 'draining' | 'activating' | 'proving' | 'routing';
  /** Who was first: the agent with a confirmation, or the watchdog. */
  verdict: 'open' | 'confirmed' | 'restore';
}

/** The watchdog goes by its own clock, whatever becomes of the agent. */
const CHECKED_MS = 1_000;

export class AgentJob {
  /** Apps whose instances are kept out of the mesh. */
  drained: readonly string[] = [];

  constructor(
    private readonly agent: Agent,
    private readonly job: JobRecord,
  ) {}

  async run(): Promise<void> {
    const { agent, job } = this;
    const { random, fates, content, spec, tell } = agent.parts;
    if (job.phase === 'activating' || job.phase === 'proving') return this.#afterCrash();
    if (job.phase === 'routing') return this.#route();
    if (job.revision === agent.runs && job.revision === agent.disk.boot)
      return agent.end(job, 'unchanged', '');
    await this.#sleep(
      random.chance(fates.longBuild) ? random.between(10_000, 40_000) : random.between(50, 2_500),
    );
    this.#mishap();
    await this.#sleep(0);
    if (random.chance(fates.rejected)) return agent.end(job, 'rejected', 'does not build');
    job.phase = 'draining';
    tell({
      what: 'away',
      node: spec.name,
      order: job.order,
      apps: content.taken(spec.name, job.from, job.revision),
    });
    this.drained = content.taken(spec.name, job.from, job.revision);
    if (!(await agent.served(3_000)) && !job.force) {
      this.drained = [];
      await agent.served(0);
      tell({ what: 'back', node: spec.name, order: job.order });
      return agent.end(job, 'rejected', 'the mesh did not drop it');
    }
    await this.#sleep(random.between(50, 1_000));
    this.#mishap();
    await this.#sleep(0);
    job.phase = 'activating';
    this.#armWatchdog();
    agent.run(job.revision, job.order);
    await this.#sleep(random.between(100, 2_000));
    this.#mishap();
    await this.#sleep(0);
    return this.#prove();
  }

  async #prove(): Promise<void> {
    const { agent, job } = this;
    const { random, fates } = agent.parts;
    job.phase = 'proving';
    await this.#sleep(random.between(200, 1_500));
    const fate = random.next();
    if (fate < fates.rolledBack && !job.force) return this.#restore('a unit failed');
    const unhealthy = fate < fates.rolledBack + fates.unhealthy;
    if (unhealthy) {
      // The way back failed too, or was not wanted.
      if (!this.#decide('confirmed')) return this.#backAgain();
      if (job.force) agent.disk.boot = job.revision;
      return this.#finish('unhealthy', 'a unit failed');
    }
    await agent.freshLink();
    while (!(await agent.prove(job.order))) {
      if (job.verdict === 'restore') return this.#backAgain();
      await this.#sleep(CHECKED_MS);
    }
    this.#mishap();
    await this.#sleep(0);
    if (!this.#decide('confirmed')) return this.#backAgain();
    agent.disk.boot = job.revision;
    job.phase = 'routing';
    this.#mishap();
    await this.#sleep(0);
    return this.#route();
  }

  async #route(): Promise<void> {
    const { random, fates } = this.agent.parts;
    this.drained = [];
    await this.agent.served(3_000);
    await this.#sleep(random.between(50, 600));
    this.#finish(random.chance(fates.needsReboot) ? 'needs-reboot' : 'applied', '');
  }

  /** The agent is new; facts decide: either the watchdog went back, or it runs and can still be proved. */
  async #afterCrash(): Promise<void> {
    const { agent, job } = this;
    const { content, spec } = agent.parts;
    this.drained = content.taken(spec.name, job.from, job.revision);
    if (agent.runs !== job.revision || job.verdict === 'restore') return this.#backAgain();
    if (job.verdict === 'confirmed') {
      agent.disk.boot = job.revision;
      job.phase = 'routing';
      return this.#route();
    }
    return this.#prove();
  }

  async #restore(message: string): Promise<void> {
    if (!this.#decide('restore')) throw new Error('confirmed and restored');
    await this.#sleep(this.agent.parts.random.between(100, 1_000));
    if (this.agent.runs !== this.job.from) this.agent.run(this.job.from, 'restored');
    return this.#backAgain(message);
  }

  async #backAgain(message = 'not confirmed in time'): Promise<void> {
    this.job.verdict = 'restore';
    if (this.agent.runs !== this.job.from) this.agent.run(this.job.from, 'restored');
    this.drained = [];
    await this.agent.served(3_000);
    this.#finish('rolled-back', message);
  }

  #finish(outcome: string, message: string): void {
    const { agent, job } = this;
    agent.parts.tell({ what: 'back', node: agent.name, order: job.order });
    agent.end(job, outcome, message);
  }

  #decide(verdict: 'confirmed' | 'restore'): boolean {
    if (this.job.verdict === 'open') this.job.verdict = verdict;
    return this.job.verdict === verdict;
  }

  #armWatchdog(): void {
    const { agent, job } = this;
    agent.parts.scheduler.after(job.confirmMs, () => {
      if (agent.disk.job !== job || job.verdict !== 'open' || !agent.up) return;
      job.verdict = 'restore';
      if (agent.runs !== job.from) agent.run(job.from, 'watchdog');
    });
  }

  /** Something that happens to the node just here. */
  #mishap(): void {
    const { agent } = this;
    const { random, fates, scheduler } = agent.parts;
    const draw = random.next() * 4;
    if (draw < fates.crashes) {
      agent.crash();
      scheduler.after(random.between(300, 5_000), () => agent.start());
    } else if (draw < fates.crashes + fates.reboots) {
      agent.powerOff();
      scheduler.after(random.between(2_000, 12_000), () => agent.boot());
    } else if (draw < fates.crashes + fates.reboots + fates.lost) {
      agent.powerOff();
      scheduler.after(random.between(15_000, 90_000), () => agent.boot());
    } else if (draw < fates.crashes + fates.reboots + fates.lost + fates.lostForEver) {
      agent.powerOff();
      agent.goneForEver = true;
    }
  }

  #sleep(ms: number): Promise<void> {
    const { process } = this.agent;
    // A process that died in between never goes on.
    return process ? process.clock.sleep(ms) : new Promise(() => undefined);
  }
}
