/**
 * People who deploy: they plan, start (sometimes twice), abort, resume and undo, through whichever controller answers. The calls do
 * what controller/server/rollout-{planner,service}.ts do, over the real RolloutStore and the real planner.
 */
import { parseOptions } from '../../controller/rollout/options.js';
import { makePlan, type PreparedNode, rolloutId, undoPlan } from '../../controller/rollout/plan.js';
import { isTerminal, type Rollout, toState } from '../../controller/rollout/rollout.js';
import { type View, viewOf } from '../../controller/rollout/view.js';
import { type Running, readRunning } from '../../controller/server/running.js';
import { keys } from '../../controller/store/keys.js';
import { RolloutStore, type Stored } from '../../controller/store/rollouts.js';
import type { EtcdStore } from '../../shared/etcd/store.js';
import { serviceGroups } from '../../shared/names.js';
import type { Content } from './content.js';
import type { Controller } from './controller.js';
import type { EtcdClient } from './etcd-client.js';
import { SimProcess } from './process.js';
import type { NodeSpec } from './scenario.js';
import type { Random, Scheduler } from './scheduler.js';

export interface OperatorParts {
  name: string;
  nodes: readonly NodeSpec[];
  content: Content;
  controllers: readonly Controller[];
  random: Random;
  scheduler: Scheduler;
  /** The next revision that nobody deployed yet. */
  nextRevision(): string;
  /** What runs on a node just now. */
  runsOn(node: string): string;
  note(text: string): void;
}

class Refused extends Error {}

/** A call that takes longer than this is given up; what it did is unknown. */
const PATIENCE_MS = 15_000;

export class Operator {
  readonly process: SimProcess;
  /** True once it does nothing any more. */
  done = false;

  constructor(private readonly parts: OperatorParts) {
    this.process = new SimProcess(parts.name, parts.scheduler);
  }

  async work(untilMs: number): Promise<void> {
    const { random, scheduler, note, name } = this.parts;
    await this.process.clock.sleep(random.between(500, 6_000));
    while (scheduler.now < untilMs) {
      try {
        await this.#act();
      } catch (error) {
        note(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
      await this.process.clock.sleep(random.between(500, 12_000));
    }
    this.done = true;
  }

  async #act(): Promise<void> {
    const { random } = this.parts;
    const draw = random.next();
    if (draw < 0.5) return this.#deploy();
    if (draw < 0.62) return this.#steer('abort');
    if (draw < 0.87) return this.#steer('resume');
    return this.#undo();
  }

  async #deploy(): Promise<void> {
    const { random, nextRevision } = this.parts;
    const plan = await this.#call((etcd, now) => this.#plan(etcd, now, nextRevision()));
    if (plan.nodes.length === 0) return;
    await this.process.clock.sleep(
      random.chance(0.2) ? random.between(1_000, 20_000) : random.between(0, 500),
    );
    await this.#startIt(plan.id);
  }

  async #startIt(id: string): Promise<void> {
    const start = () => this.#call((etcd, now) => this.#start(etcd, now, id));
    // Doubled: at the same time at two controllers, or again because no answer came.
    if (this.parts.random.chance(0.15)) await Promise.allSettled([start(), start()]);
    else await start().catch(() => start());
  }

  async #steer(action: 'abort' | 'resume'): Promise<void> {
    const noUndo = action === 'abort' && this.parts.random.chance(0.4);
    await this.#call(async (etcd) => {
      const store = new RolloutStore(etcd);
      const lock = await store.lock();
      for (let attempt = 0; lock && attempt < 5; attempt++) {
        const stored = await store.get(lock.rollout);
        const allowed = action === 'abort' ? ['running', 'paused'] : ['paused'];
        if (!stored || !allowed.includes(stored.rollout.state)) return;
        this.parts.note(`${this.parts.name}: ${action} ${lock.rollout}${noUndo ? ' --no-undo' : ''}`);
        if (await store.request(stored, { action, noUndo, who: this.parts.name })) return;
      }
    });
  }

  async #undo(): Promise<void> {
    const plan = await this.#call(async (etcd, now) => {
      const all = (await new RolloutStore(etcd).all()).filter(({ rollout }) => isTerminal(rollout.state));
      if (all.length === 0) throw new Refused('nothing to undo');
      return this.#planUndo(etcd, now, this.parts.random.pick(all.slice(0, 3)).rollout);
    });
    await this.#startIt(plan.id);
  }

  /** One call at one controller; its answer may never come. */
  #call<T>(run: (etcd: EtcdClient, now: () => number) => Promise<T>): Promise<T> {
    const { controllers, random } = this.parts;
    const alive = controllers.flatMap(({ running }) =>
      running?.process.state === 'running' ? [running] : [],
    );
    if (alive.length === 0) return Promise.reject(new Refused('no controller answers'));
    const { operators, process } = random.pick(alive);
    return new Promise<T>((resolve, reject) => {
      this.process.after(PATIENCE_MS, () => reject(new Refused('no answer')));
      run(operators, () => process.clock.now()).then(resolve, reject);
    });
  }

  #options(): ReturnType<typeof parseOptions> {
    const { random } = this.parts;
    return parseOptions({
      maxUnavailable: random.int(1, 3),
      pause: random.pick([0, 0, 0, 2_000, 'manual']),
      force: random.chance(0.08),
      undo: random.chance(0.75),
      drainMs: 1_000,
      settleMs: 500,
      confirmMs: random.int(5_000, 15_000),
      unreachableMs: random.int(30_000, 45_000),
      deadlineMs: random.pick([20_000, 60_000, 120_000]),
    });
  }

  async #plan(etcd: EtcdClient, now: () => number, revision: string): Promise<Rollout> {
    const { nodes: specs, random, content, name, note } = this.parts;
    const id = this.#id(now());
    const { running, isOpen } = await readNodes(etcd);
    const chosen = specs
      .filter(() => random.chance(0.8))
      // What a node runs that has not ended its order is not what it will run.
      .filter(({ name: node }) => running.get(node)?.connected && !isOpen(node));
    const nodes = chosen.map((spec): PreparedNode => {
      const { revision: from, desiredChange } = running.get(spec.name) as Running;
      const unknown = random.chance(0.01);
      // As the agent says in its answer to the preparation.
      const system = this.parts.runsOn(spec.name);
      return {
        ...spec,
        from: { revision: unknown ? '' : from, system },
        to: { revision, system: revision },
        desiredChange,
        changes: {
          files: [],
          stop: [],
          start: [],
          restart: [],
          reload: [],
          packages: [],
          needsReboot: false,
          apps: content
            .changes(spec.name, system, revision)
            .map((change) => ({ ...change, fromVersion: '', toVersion: '' })),
        },
      };
    });
    const plan = makePlan({
      id,
      who: name,
      why: '',
      nowMs: now(),
      options: this.#options(),
      instances: (await viewIn(etcd)).instances,
      nodes,
      control: specs.filter(({ kind }) => kind === 'control').map((spec) => spec.name),
    });
    if (nodes.length > 0) await new RolloutStore(etcd).putPlan(plan);
    note(`${name}: planned ${id} to ${revision}: ${nodes.map((node) => node.name).join(' ')}`);
    return plan;
  }

  async #planUndo(etcd: EtcdClient, now: () => number, ended: Rollout): Promise<Rollout> {
    const running = await readRunning(etcd);
    const changes = new Map<string, number>();
    for (const { name, order } of ended.nodes.filter(({ state }) => state === 'moved')) {
      const known = running.get(name);
      if (known?.order !== order) throw new Refused(`${name} was ordered something else after ${ended.id}`);
      changes.set(name, known.desiredChange);
    }
    const input = { id: this.#id(now()), who: this.parts.name, why: '', nowMs: now() };
    const plan = undoPlan(ended, { ...input, instances: (await viewIn(etcd)).instances }, changes);
    const nodes = plan.nodes.map((node) => ({
      ...node,
      from: { ...node.from, system: running.get(node.name)?.system ?? node.from.system },
    }));
    if (nodes.length === 0) throw new Refused('there is nothing to undo');
    const undo = { ...plan, nodes };
    await new RolloutStore(etcd).putPlan(undo);
    this.parts.note(`${this.parts.name}: planned ${undo.id} to undo ${ended.id}`);
    return undo;
  }

  async #start(etcd: EtcdClient, now: () => number, id: string): Promise<void> {
    const store = new RolloutStore(etcd);
    const stored = await this.#get(store, id);
    if (stored.rollout.state !== 'planned') return;
    if (await store.lock()) throw new Refused('locked');
    const { running, isOpen } = await readNodes(etcd);
    const busy = stored.rollout.nodes.find(({ name }) => isOpen(name));
    if (busy) throw new Refused(`stale: ${busy.name} has not ended what it was ordered before`);
    const moved = stored.rollout.nodes.find(({ name, from }) => running.get(name)?.system !== from.system);
    if (moved) throw new Refused(`stale: ${moved.name} runs another system than planned`);
    const startedMs = now();
    const next = toState(stored.rollout, 'running', { startedMs });
    const lock = { rollout: id, who: this.parts.name, why: '', sinceMs: startedMs };
    const started = await store.start(stored, next, lock).catch(() => false);
    this.parts.note(`${this.parts.name}: start ${id}: ${started}`);
  }

  async #get(store: RolloutStore, id: string): Promise<Stored> {
    const stored = await store.get(id);
    if (!stored) throw new Refused(`there is no rollout ${id}`);
    return stored;
  }

  #id(nowMs: number): string {
    return rolloutId(nowMs, this.parts.random.int(0, 0xffff).toString(16).padStart(4, '0'));
  }
}

/**
 * What the nodes run and whether they have ended what they were ordered, of one revision of etcd: read one after the other, a node
 * could end its order in between, and what it ran before would be taken for what it runs.
 */
async function readNodes(
  etcd: EtcdClient,
): Promise<{ running: Map<string, Running>; isOpen(node: string): boolean }> {
  const listing = await etcd.getPrefix(keys.nodes);
  const once: EtcdStore = Object.assign(Object.create(etcd), { getPrefix: async () => listing });
  const { nodes } = viewOf(listing.entries, rethrow);
  return { running: await readRunning(once), isOpen: (node) => nodes.get(node)?.open ?? false };
}

function rethrow(error: unknown): never {
  throw error;
}

async function viewIn(etcd: EtcdClient): Promise<View> {
  const prefixes = [keys.nodes, ...serviceGroups.map(keys.group)];
  const listings = await Promise.all(prefixes.map((prefix) => etcd.getPrefix(prefix)));
  return viewOf(
    listings.flatMap(({ entries }) => entries),
    rethrow,
  );
}
