/** Follows the declared apps and keeps their instances in etcd exactly while their unit runs and their check passes. */
import type { Logger } from 'pino';
import type { InstanceHealth } from '../../proto/gen/nixinfra/v1/agent.js';
import { isDenied } from '../../shared/etcd/denied.js';
import { LeasedKeys } from '../../shared/etcd/leased-keys.js';
import type { EtcdStore } from '../../shared/etcd/store.js';
import type { UnitFeed, UnitWatcher } from '../apply/activator.js';
import type { AppsControl, DeclaredApp } from '../apply/apps-control.js';
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import { runCheck } from './check.js';
import { type AppDeclaration, readDeclarations } from './declaration.js';
import { type Observation, observe } from './instance-state.js';
import { canonicalJson, keys, lastKeyOf } from './keys.js';
import { strayInstances } from './strays.js';
import { rulesOf, type Watched, wantedOf, watchedOf } from './watched.js';

export interface SupervisorParts {
  node: string;
  appsDir: string;
  etcd: EtcdStore;
  units: UnitWatcher;
  clock: Clock;
  log: Logger;
}

export class AppSupervisor implements AppsControl {
  /** By instance key: one of each copy. */
  readonly #apps = new Map<string, Watched>();
  readonly #leased: LeasedKeys;
  /** Declarations whose meta data is in etcd, as text by app. */
  readonly #metaWritten = new Map<string, string>();
  #held = new Set<string>();
  #stopped = false;
  #reloading: Promise<void> = Promise.resolve();
  #complained = new Set<string>();
  /** Resolves when units are to be looked at now. */
  #changed: Promise<void> = Promise.resolve();
  #wake: () => void = () => {};
  #feed: UnitFeed | undefined;
  #sweepAtMs = 0;

  constructor(private readonly parts: SupervisorParts) {
    this.#leased = new LeasedKeys(parts.etcd, {
      deletesForeign: true,
      twinOf: lastKeyOf,
      ttlSeconds: defaults.leaseTtlS,
      onTrouble: (error) => {
        // Not by waiting to be mended, so not to be told every few seconds.
        if (isDenied(error)) this.#complain('etcd', error);
        else parts.log.warn({ err: error }, 'instances are not under a lease; trying again');
      },
    });
  }

  async start(): Promise<void> {
    await this.reload();
    this.#feed = this.parts.units.follow?.((unit) => {
      const ours = [...this.#apps.values()].some(({ copy }) => copy.unit === unit);
      if (unit === undefined || ours) this.#wake();
    });
    void this.#unitLoop();
    void this.#scanLoop();
  }

  /** Leaves the instances registered until the lease ends: an agent that restarts must not take its apps out of service. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#feed?.close();
    for (const watched of this.#apps.values()) watched.gone = true;
    await this.#leased.stop('release');
  }

  declared(): DeclaredApp[] {
    return [...this.#apps.values()].map(({ app: { id, group, name, bindIp }, id: instance, copy }) => {
      return { id, instance, group, name, unit: copy.unit, address: `${bindIp}:${copy.port}` };
    });
  }

  hold(ids: readonly string[]): Promise<boolean> {
    this.#held = new Set(ids);
    const held = [...this.#apps.values()].filter(({ app }) => this.#held.has(app.id));
    for (const watched of held) this.#register(watched);
    return this.#leased.settled(
      held.map(({ key }) => key),
      defaults.drainConfirmMs,
    );
  }

  release(): void {
    this.#held = new Set();
    for (const watched of this.#apps.values()) this.#register(watched);
  }

  async renew(): Promise<void> {
    await this.reload();
    for (const watched of this.#apps.values())
      if (this.#held.has(watched.app.id)) this.#see(watched, { kind: 'again' });
  }

  /** One scan at a time; a call during a scan waits for one that began after it. */
  reload(): Promise<void> {
    this.#reloading = this.#reloading
      .then(() => this.#scan())
      .catch((error: unknown) => this.#complain('apps.d', error));
    return this.#reloading;
  }

  unhealthy(): { coming: string[]; lost: string[] } {
    const waiting = [...this.#apps.values()].filter(({ instance }) => instance.state !== 'healthy');
    // Unhealthy after its own grace is a verdict, so is a failed unit; any other stopped unit may still be starting.
    const isLost = ({ instance }: Watched) =>
      instance.state === 'unhealthy' || instance.detail === 'unit failed';
    const ids = (some: Watched[]) => [...new Set(some.map(({ app }) => app.id))];
    return {
      coming: ids(waiting.filter((one) => !isLost(one))),
      lost: ids(waiting.filter((one) => isLost(one))),
    };
  }

  longestGraceMs(): number {
    return Math.max(0, ...[...this.#apps.values()].map(({ copy }) => copy.health.startGraceMs));
  }

  registered(ids: readonly string[]): boolean {
    return [...this.#apps.values()]
      .filter(({ app, instance }) => ids.includes(app.id) && instance.state === 'healthy')
      .every(({ key }) => this.#leased.isRegistered(key));
  }

  snapshot(): InstanceHealth[] {
    return [...this.#apps.values()].map(({ app, instance, key }) => ({
      group: app.group,
      app: app.name,
      state: this.#held.has(app.id) ? 'draining' : instance.state,
      registered: this.#leased.isRegistered(key),
      detail: instance.detail,
    }));
  }

  async #scanLoop(): Promise<void> {
    while (!this.#stopped) {
      await this.reload();
      await this.#sweep().catch((error: unknown) => this.#complain('sweep', error));
      await this.parts.clock.sleep(defaults.rescanMs);
    }
  }

  async #unitLoop(): Promise<void> {
    while (!this.#stopped) {
      // Armed before looking, so that a change meanwhile is not slept over.
      this.#changed = new Promise((resolve) => {
        this.#wake = resolve;
      });
      await this.#lookAtUnits().catch((error: unknown) => this.#complain('units', error));
      const untilMs = this.#feed?.live() ? defaults.unitResyncMs : defaults.unitWatchMs;
      await Promise.race([this.parts.clock.sleep(untilMs), this.#changed]);
    }
  }

  /** Tells each trouble once until it changes, not twice a second. */
  #complain(about: string, error: unknown): void {
    const text = `${about}: ${error instanceof Error ? error.message : String(error)}`;
    if (this.#complained.has(text)) return;
    this.#complained.add(text);
    this.parts.log.error({ about, err: error }, 'apps');
  }

  async #scan(): Promise<void> {
    const { appsDir, node, log } = this.parts;
    const declared = await readDeclarations(appsDir, (error) => this.#complain('declaration', error));
    const now = new Map<string, Watched>();
    for (const app of declared) {
      for (const copy of app.copies) {
        const watched = watchedOf(app, copy, node);
        now.set(watched.key, watched);
      }
    }
    for (const [key, watched] of this.#apps) if (!now.has(key)) this.#forget(watched);
    for (const [key, watched] of now) {
      const former = this.#apps.get(key);
      if (former?.text === watched.text) continue;
      if (former) former.gone = true;
      this.#apps.set(key, watched);
      // Nothing of ours listens at the former address any more.
      if (former && former.value !== watched.value) this.#withdraw(watched);
      log.info({ app: watched.app.id, instance: watched.id, unit: watched.copy.unit }, 'an app is declared');
      void this.#checkLoop(watched);
    }
    // Not waited for: an etcd that is away must not hold up what a node has to prove.
    for (const app of declared) void this.#writeMeta(app);
    await this.#lookAtUnits();
  }

  #forget(watched: Watched): void {
    watched.gone = true;
    this.#apps.delete(watched.key);
    this.#leased.set(watched.key, undefined);
    this.parts.log.info({ app: watched.app.id, instance: watched.id }, 'an app is no longer declared');
  }

  #withdraw(watched: Watched): void {
    watched.asked = undefined;
    this.#leased.set(watched.key, undefined);
  }

  /** Removes what a former life of this node left in etcd: apps that went while no agent ran, another overlay address. */
  async #sweep(): Promise<void> {
    const { etcd, node, clock, log } = this.parts;
    if (clock.monotonic() < this.#sweepAtMs) return;
    const { entries } = await etcd.getPrefix(keys.apps);
    // Not a moment ago: the apps may have changed while etcd answered.
    const values = new Map([...this.#apps.values()].map(({ key, value }) => [key, value]));
    for (const key of strayInstances(entries, node, values)) {
      const watched = this.#apps.get(key);
      // What we have spoken about already is right, or is being made so.
      if (watched && watched.asked !== 'nothing yet') continue;
      log.info({ key }, 'an instance of a former life is removed');
      if (watched) this.#withdraw(watched);
      else this.#leased.set(key, undefined);
    }
    this.#sweepAtMs = clock.monotonic() + defaults.sweepMs * (0.8 + Math.random() * 0.4);
  }

  /** Once per declaration: several nodes declare the same app, and none may overwrite the others for ever. */
  async #writeMeta(app: AppDeclaration): Promise<void> {
    const value = canonicalJson(app.metaData);
    if (this.#metaWritten.get(app.id) === value) return;
    this.#metaWritten.set(app.id, value);
    try {
      const key = keys.metaData(app.group, app.name);
      if ((await this.parts.etcd.get(key))?.value.toString() !== value) await this.parts.etcd.put(key, value);
    } catch (error) {
      this.#metaWritten.delete(app.id);
      this.#complain(app.id, error);
    }
  }

  async #lookAtUnits(): Promise<void> {
    const all = [...this.#apps.values()];
    if (all.length === 0) return;
    const states = await this.parts.units.activeStates(all.map(({ copy }) => copy.unit));
    for (const watched of all) {
      this.#see(watched, { kind: 'unit', activeState: states.get(watched.copy.unit) ?? 'unknown' });
    }
  }

  async #checkLoop(watched: Watched): Promise<void> {
    const { health } = watched.copy;
    if (health.kind === 'none') return;
    while (!watched.gone) {
      const begun = watched.instance;
      if (begun.state !== 'stopped') {
        const result = await runCheck(health);
        // A check that began before the unit went or proof was wanted anew says nothing about now.
        const same =
          watched.instance.activeSinceMs === begun.activeSinceMs && watched.instance.state !== 'stopped';
        if (!watched.gone && same) this.#see(watched, { kind: 'check', ...result });
      }
      await this.parts.clock.sleep(
        watched.instance.state === 'healthy'
          ? health.intervalMs
          : Math.min(health.intervalMs, defaults.unitWatchMs),
      );
    }
  }

  #see(watched: Watched, seen: Observation): void {
    if (watched.gone) return;
    const before = watched.instance.state;
    watched.instance = observe(watched.instance, seen, rulesOf(watched), this.parts.clock.monotonic());
    const { state, detail } = watched.instance;
    if (state !== before)
      this.parts.log.info({ app: watched.app.id, instance: watched.id, state, detail }, 'instance');
    this.#register(watched);
  }

  #register(watched: Watched): void {
    const wanted = wantedOf(watched, this.#held.has(watched.app.id));
    if (wanted === 'as it is' || wanted === watched.asked) return;
    watched.asked = wanted;
    this.#leased.set(watched.key, wanted);
  }
}
