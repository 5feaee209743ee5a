/** Follows the declared apps and keeps their instances in etcd exactly while their unit runs and their check passes. */
import type { Logger } from 'pino';
import type { InstanceHealth } from '../../proto/gen/nixinfra/v1/agent.js';
import { LeasedKeys } from '../../shared/etcd/leased-keys.js';
import type { EtcdStore } from '../../shared/etcd/store.js';
import type { UnitWatcher } from '../apply/activator.js';
import type { AppsControl, DeclaredApp } from '../apply/apps-control.js';
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import { runCheck } from './check.js';
import { type AppDeclaration, readDeclarations } from './declaration.js';
import { type Instance, initialInstance, type Observation, observe, type Rules } from './instance-state.js';
import { canonicalJson, keys } from './keys.js';

export interface SupervisorParts {
  node: string;
  appsDir: string;
  etcd: EtcdStore;
  units: UnitWatcher;
  clock: Clock;
  log: Logger;
}

interface Watched {
  app: AppDeclaration;
  instance: Instance;
  key: string;
  /** The declaration as text; another text is another app. */
  text: string;
  metaWritten: boolean;
  /** What was last asked of etcd for the key; 'nothing yet' before the first verdict. */
  asked: string | undefined | 'nothing yet';
  gone: boolean;
}

function rulesOf({ health }: AppDeclaration): Rules {
  return {
    rise: health.rise,
    fall: health.fall,
    startGraceMs: health.startGraceMs,
    checked: health.kind !== 'none',
  };
}

export class AppSupervisor implements AppsControl {
  readonly #apps = new Map<string, Watched>();
  readonly #leased: LeasedKeys;
  #held = new Set<string>();
  #stopped = false;
  #reloading: Promise<void> = Promise.resolve();
  #complained = new Set<string>();

  constructor(private readonly parts: SupervisorParts) {
    this.#leased = new LeasedKeys(parts.etcd, {
      deletesForeign: true,
      ttlSeconds: defaults.leaseTtlS,
      onTrouble: (error) => parts.log.warn({ err: error }, 'instances are not under a lease; trying again'),
    });
  }

  async start(): Promise<void> {
    await this.reload();
    void this.#loop(defaults.unitWatchMs, () => this.#lookAtUnits());
    void this.#loop(defaults.rescanMs, () => this.reload());
  }

  /** Leaves the instances registered until the lease ends: an agent that restarts must not take its apps out of service. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const watched of this.#apps.values()) watched.gone = true;
    await this.#leased.stop('release');
  }

  declared(): DeclaredApp[] {
    return [...this.#apps.values()].map(({ app: { id, group, name, unit, bindIp, port } }) => {
      return { id, group, name, unit, address: `${bindIp}:${port}` };
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
    const ids = (some: Watched[]) => some.map(({ app }) => app.id);
    return {
      coming: ids(waiting.filter((one) => !isLost(one))),
      lost: ids(waiting.filter((one) => isLost(one))),
    };
  }

  longestGraceMs(): number {
    return Math.max(0, ...[...this.#apps.values()].map(({ app }) => app.health.startGraceMs));
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

  async #loop(everyMs: number, work: () => Promise<void>): Promise<void> {
    while (!this.#stopped) {
      await work().catch((error: unknown) => this.#complain('loop', error));
      await this.parts.clock.sleep(everyMs);
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
    const ids = new Set(declared.map((app) => app.id));
    for (const [id, watched] of this.#apps) if (!ids.has(id)) this.#forget(watched);
    for (const app of declared) {
      const text = canonicalJson(app);
      const former = this.#apps.get(app.id);
      if (former?.text === text) continue;
      if (former) former.gone = true;
      const key = keys.instance(app.group, app.name, node);
      const watched: Watched = {
        app,
        key,
        text,
        instance: initialInstance,
        metaWritten: false,
        asked: 'nothing yet',
        gone: false,
      };
      this.#apps.set(app.id, watched);
      log.info({ app: app.id, unit: app.unit }, 'an app is declared');
      void this.#checkLoop(watched);
    }
    // Not waited for: an etcd that is away must not hold up what a node has to prove.
    for (const watched of this.#apps.values()) void this.#writeMeta(watched);
    await this.#lookAtUnits();
  }

  #forget(watched: Watched): void {
    watched.gone = true;
    this.#apps.delete(watched.app.id);
    this.#leased.set(watched.key, undefined);
    this.parts.log.info({ app: watched.app.id }, 'an app is no longer declared');
  }

  /** Once per declaration: several nodes declare the same app, and none may overwrite the others for ever. */
  async #writeMeta(watched: Watched): Promise<void> {
    if (watched.metaWritten) return;
    watched.metaWritten = true;
    const { app } = watched;
    try {
      const key = keys.metaData(app.group, app.name);
      const value = canonicalJson(app.metaData);
      if ((await this.parts.etcd.get(key))?.value.toString() !== value) await this.parts.etcd.put(key, value);
    } catch (error) {
      watched.metaWritten = false;
      this.#complain(app.id, error);
    }
  }

  async #lookAtUnits(): Promise<void> {
    const all = [...this.#apps.values()];
    if (all.length === 0) return;
    const states = await this.parts.units.activeStates(all.map(({ app }) => app.unit));
    for (const watched of all) {
      this.#see(watched, { kind: 'unit', activeState: states.get(watched.app.unit) ?? 'unknown' });
    }
  }

  async #checkLoop(watched: Watched): Promise<void> {
    const { health } = watched.app;
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
    watched.instance = observe(watched.instance, seen, rulesOf(watched.app), this.parts.clock.monotonic());
    const { state, detail } = watched.instance;
    if (state !== before) this.parts.log.info({ app: watched.app.id, state, detail }, 'instance');
    this.#register(watched);
  }

  #register(watched: Watched): void {
    const { app, instance, key, asked } = watched;
    const held = this.#held.has(app.id);
    const serves = instance.state === 'healthy' && !held;
    // A starting instance may hang in etcd from before the agent's restart; it stays until its first verdict.
    if (instance.state === 'starting' && !held && asked === 'nothing yet') return;
    const wanted = serves
      ? canonicalJson({ node: this.parts.node, ipv4: app.bindIp, port: app.port })
      : undefined;
    if (wanted === asked) return;
    watched.asked = wanted;
    this.#leased.set(key, wanted);
  }
}
