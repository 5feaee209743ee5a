/**
 * Carries out running actions against the driver, per server one after the other, servers side by side.
 * It looks at the state, not at messages: whatever is `running` and not under way is started, also after a restart.
 */
import type { MachineDriver } from '../../machines/driver.js';
import { labApiDefaults } from '../defaults.js';
import type { Effect } from '../http/route.js';
import { type Action, type LabState, machineId, patched, runningActions } from '../state.js';
import type { Store } from '../store.js';
import { type DriverStep, planAction } from './plan.js';
import { afterRestart, observed, settled } from './settle.js';

export interface RunnerDeps {
  store: Store;
  driver: MachineDriver;
  /** Now, as RFC 3339 with offset. */
  now(): string;
  /** Told of every driver failure; the API's clients only see `action_failed`. */
  onFailure(what: string, error: unknown): void;
}

export class Runner {
  private readonly underWay = new Map<number, Promise<void>>();
  private closed = false;
  private reconciled = 0;

  constructor(private readonly deps: RunnerDeps) {}

  /** Takes up where the last process stopped. */
  async resume(): Promise<void> {
    const { store, now } = this.deps;
    store.commit(afterRestart(store.state, now()));
    await this.reconcile(0);
    this.wake();
  }

  /** Starts every action that may start now. Called after each change of the state. */
  wake(): void {
    if (this.closed) return;
    for (const server of this.deps.store.state.servers) {
      const [action] = runningActions(this.deps.store.state, server.id);
      if (action && !this.underWay.has(server.id)) this.begin(action, server.id);
    }
  }

  /** Lets what is under way finish its current action and starts nothing more. */
  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(this.underWay.values());
  }

  /** Asks the driver what is really up (a guest may power itself off), at most every `maxAgeMs`. */
  async reconcile(maxAgeMs: number = labApiDefaults.reconcileMs): Promise<void> {
    const { store } = this.deps;
    if (Date.now() - this.reconciled < maxAgeMs) return;
    this.reconciled = Date.now();
    const idle = store.state.servers.filter((server) => runningActions(store.state, server.id).length === 0);
    const seen = await Promise.all(
      idle.map(async ({ id }) => ({ id, actions: actionsOf(store.state, id), machine: await this.look(id) })),
    );
    // An action may have run while the driver was asked; its outcome is newer than what was seen.
    const fresh = seen.filter(({ id, actions }) => actionsOf(store.state, id) === actions);
    const next = fresh.reduce((state, { id, machine }) => observed(state, id, machine), store.state);
    if (next !== store.state) store.commit(next);
  }

  /** Does a lab verb; throws what the driver throws. */
  async effect({ verb, server, from }: Effect): Promise<void> {
    const { driver, store } = this.deps;
    const machine = machineId(server);
    if (verb === 'cut' && from.length > 0) return driver.partition(machine, from.map(machineId));
    if (verb === 'cut') return driver.link(machine, false);
    if (verb === 'heal') {
      await driver.rejoin(machine);
      return driver.link(machine, true);
    }
    await (verb === 'kill' ? driver.powerOff(machine) : driver.start(machine));
    store.commit(patched(store.state, 'servers', server, { pretended: false }));
    await this.reconcile(0);
  }

  private begin(action: Action, serverId: number): void {
    const work = this.carryOut(action, serverId).then(
      () => {
        this.underWay.delete(serverId);
        this.wake();
      },
      (error: unknown) => {
        // The state could not be written (disk full). Not begun again from here, or it would spin; the next request does.
        this.underWay.delete(serverId);
        this.deps.onFailure(`writing down ${action.command} of server ${serverId}`, error);
      },
    );
    this.underWay.set(serverId, work);
  }

  private async carryOut(action: Action, serverId: number): Promise<void> {
    const { store, now, onFailure } = this.deps;
    let ok = false;
    try {
      const server = store.state.servers.find((candidate) => candidate.id === serverId);
      if (!server) throw new Error(`server ${serverId} is gone`);
      const plan = planAction(store.state, action, server);
      store.commit(plan.state);
      for (const step of plan.steps) await this.step(step);
      ok = !plan.doomed;
    } catch (error) {
      onFailure(`${action.command} of server ${serverId}`, error);
    }
    const machine = await this.look(serverId);
    store.commit(settled(store.state, action, { ok, at: now(), machine }));
  }

  private step(step: DriverStep): Promise<void> {
    const { driver } = this.deps;
    switch (step.call) {
      case 'create':
        return driver.create(step.spec);
      case 'snapshot':
        return driver.snapshot(step.machine, step.image);
      default:
        return driver[step.call](step.machine);
    }
  }

  /** The machine's state; a driver that cannot tell counts as no machine. */
  private async look(serverId: number) {
    try {
      return await this.deps.driver.state(machineId(serverId));
    } catch (error) {
      this.deps.onFailure(`state of server ${serverId}`, error);
      return 'absent' as const;
    }
  }
}

/** How many actions a server ever had: a cheap sign that something happened to it. */
function actionsOf(state: LabState, serverId: number): number {
  return state.actions.filter((action) =>
    action.resources.some((r) => r.type === 'server' && r.id === serverId),
  ).length;
}
