/** Looks at the node before and after an activation until it is proved, or will not be. The judging is in proof.ts. */
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import type { Activator } from './activator.js';
import type { AppsControl } from './apps-control.js';
import type { Job } from './job.js';
import { type Before, baselineOf, demanded, judgeUnits, newlyFailed } from './proof.js';

export interface ProverParts {
  activator: Activator;
  apps: AppsControl;
  clock: Clock;
}

export interface Failure {
  message: string;
  log: string[];
}

/** Thrown inside to end the proving when the watchdog has decided meanwhile. */
export class Overtaken extends Error {}

export async function lookBefore(activator: Activator, system: string): Promise<Before> {
  const { defined } = await activator.unitsOf(system);
  const units = defined.filter((unit) => !/@\.[a-z]+$/.test(unit));
  const [states, failed, ssh] = await Promise.all([
    activator.unitStates(units),
    activator.failedUnits(),
    activator.sshLogin(),
  ]);
  const active = units.filter((unit) => states.get(unit)?.active === 'active');
  const restarts = active.map((unit) => [unit, states.get(unit)?.restarts ?? 0] as const);
  return { active, failed, restarts: Object.fromEntries(restarts), ssh: ssh?.ok ?? false };
}

/** How long everything must stay well. */
export function settleMsOf(job: Job): number {
  const { settleMs = 0 } = job.options;
  if (settleMs > 0) return settleMs;
  const touched = job.changes && job.changes.start.length + job.changes.restart.length > 0;
  return touched ? defaults.settleMs : defaults.settleQuietMs;
}

export class Prover {
  constructor(private readonly parts: ProverParts) {}

  /** What the node can prove by itself; undefined when it is proved. Throws Overtaken when the watchdog was faster. */
  async prove(job: Job): Promise<Failure | undefined> {
    const { activator } = this.parts;
    const { previousSystem, system, before, nonce, changes } = job;
    if (!system || !before) throw new Error('the job has not been activated');
    const old = await activator.unitsOf(previousSystem);
    const units = demanded(before, old, await activator.unitsOf(system));
    const touched = [...(changes?.start ?? []), ...(changes?.restart ?? [])];
    const baseline = baselineOf(before, touched);
    return (
      (await this.#comeUp(nonce, units, before, baseline)) ??
      (await this.#stayWell(nonce, settleMsOf(job), units, before)) ??
      (before.ssh ? await this.#login(nonce) : undefined)
    );
  }

  async #checkVerdict(nonce: string): Promise<void> {
    if ((await this.parts.activator.verdict(nonce)) === 'restore') throw new Overtaken();
  }

  /** Until every unit and app is up, or one will not be. */
  async #comeUp(
    nonce: string,
    units: ReturnType<typeof demanded>,
    before: Before,
    baseline: Record<string, number>,
  ): Promise<Failure | undefined> {
    const { activator, apps, clock } = this.parts;
    const began = clock.monotonic();
    const appsLimit = Math.max(defaults.appsUpMs, apps.longestGraceMs());
    for (;;) {
      await this.#checkVerdict(nonce);
      const states = await activator.unitStates([...units.kept, ...units.added]);
      const { complaints, coming } = judgeUnits(units, states, baseline, defaults);
      const failed = newlyFailed(before.failed, await activator.failedUnits());
      if (complaints.length + failed.length > 0) return this.#unitFailure(complaints, failed);
      const { coming: starting, lost } = apps.unhealthy();
      if (lost.length > 0) return this.#appFailure(lost);
      if (coming.length + starting.length === 0) return undefined;
      const waited = clock.monotonic() - began;
      if (coming.length > 0 && waited > defaults.unitsUpMs)
        return this.#unitFailure(
          coming.map((unit) => ({ unit, why: `${unit} does not come up` })),
          [],
        );
      if (coming.length === 0 && waited > appsLimit) return this.#appFailure(starting);
      await clock.sleep(defaults.provePollMs);
    }
  }

  /** From now on nothing may falter, not even a unit that comes back by itself. */
  async #stayWell(
    nonce: string,
    settleMs: number,
    units: ReturnType<typeof demanded>,
    before: Before,
  ): Promise<Failure | undefined> {
    const { activator, apps, clock } = this.parts;
    const names = [...units.kept, ...units.added];
    const atFirst = await activator.unitStates(names);
    const baseline = Object.fromEntries([...atFirst].map(([unit, state]) => [unit, state.restarts]));
    const deadline = clock.monotonic() + settleMs;
    for (;;) {
      await this.#checkVerdict(nonce);
      const states = await activator.unitStates(names);
      const { complaints, coming } = judgeUnits(units, states, baseline, { restartsAllowed: 0 });
      for (const unit of coming) complaints.push({ unit, why: `${unit} did not stay up` });
      const failed = newlyFailed(before.failed, await activator.failedUnits());
      if (complaints.length + failed.length > 0) return this.#unitFailure(complaints, failed);
      const { coming: starting, lost } = apps.unhealthy();
      if (starting.length + lost.length > 0) return this.#appFailure([...starting, ...lost]);
      if (clock.monotonic() >= deadline) return undefined;
      await clock.sleep(defaults.provePollMs);
    }
  }

  async #login(nonce: string): Promise<Failure | undefined> {
    const { activator, clock } = this.parts;
    const deadline = clock.monotonic() + defaults.sshTriesMs;
    for (;;) {
      await this.#checkVerdict(nonce);
      const login = await activator.sshLogin();
      // Not to be proved any more: the new system says so.
      if (!login || login.ok) return undefined;
      if (clock.monotonic() >= deadline)
        return { message: 'sshd does not accept a login any more', log: [login.detail] };
      await clock.sleep(defaults.provePollMs);
    }
  }

  async #unitFailure(
    complaints: readonly { unit: string; why: string }[],
    failed: readonly string[],
  ): Promise<Failure> {
    const more = failed.filter((unit) => !complaints.some((one) => one.unit === unit));
    const why = [...complaints.map((one) => one.why), ...more.map((unit) => `${unit} failed`)];
    const units = [...complaints.map((one) => one.unit), ...more];
    return { message: why.join('; '), log: await this.#explain(units) };
  }

  async #appFailure(ids: readonly string[]): Promise<Failure> {
    const units = this.parts.apps.declared().filter((app) => ids.includes(app.id));
    return {
      message: ids.map((id) => `${id} is not healthy`).join('; '),
      log: await this.#explain(units.map((app) => app.unit)),
    };
  }

  async #explain(units: readonly string[]): Promise<string[]> {
    const explained = [...new Set(units)].map((unit) => this.parts.activator.explainUnit(unit));
    return (await Promise.all(explained)).flat();
  }
}
