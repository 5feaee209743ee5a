/**
 * The model of a node and its agent: what it keeps on disk, how it carries out an order, and how it can die. Whether an order is
 * taken is decided by the agent's real fence.
 */
import { judgeOrder, raise } from '../../agent/apply/fence.js';
import type { Entry } from '../../shared/etcd/store.js';
import { AgentJob, type JobRecord } from './agent-job.js';
import type { Content } from './content.js';
import type { SimEtcd } from './etcd.js';
import { EtcdClient } from './etcd-client.js';
import type { NodeEvent } from './history.js';
import { Instances } from './instances.js';
import type { AgentResult, Link, LinkEnd, ToAgent } from './link.js';
import type { Network } from './network.js';
import { SimProcess } from './process.js';
import type { Fates, NodeSpec } from './scenario.js';
import type { Random, Scheduler } from './scheduler.js';

export interface AgentParts {
  spec: NodeSpec;
  content: Content;
  fates: Fates;
  etcd: SimEtcd;
  network: Network;
  random: Random;
  scheduler: Scheduler;
  tell(event: NodeEvent): void;
  /** Dials a controller; undefined when it does not answer. */
  dial(
    agent: LinkEnd<ToAgent>,
    node: string,
  ): Promise<{ link: Link; hello(revision: string): void } | undefined>;
}

/** What survives the agent and the node. */
export interface Disk {
  token: number;
  change: number;
  results: Map<string, AgentResult>;
  last: AgentResult | undefined;
  job: JobRecord | undefined;
  /** What the node boots. */
  boot: string;
}

type DesiredMessage = Extract<ToAgent, { say: 'desired' }>;

export class Agent {
  readonly disk: Disk = {
    token: 0,
    change: 0,
    results: new Map(),
    last: undefined,
    job: undefined,
    boot: 'v0',
  };
  /** What runs on the node. */
  runs = 'v0';
  /** False while the machine is off. */
  up = false;
  goneForEver = false;
  process: SimProcess | undefined;
  instances: Instances | undefined;
  #link: Link | undefined;
  #job: AgentJob | undefined;
  #waiting: DesiredMessage | undefined;
  #confirmed = new Set<string>();
  #onLinked: (() => void)[] = [];
  #starts = 0;

  constructor(readonly parts: AgentParts) {}

  get name(): string {
    return this.parts.spec.name;
  }

  get idle(): boolean {
    return this.goneForEver || (this.up && this.#job === undefined && this.disk.job === undefined);
  }

  /** Whether it has ended what it is desired to do. */
  answered(desired: Entry | undefined): boolean {
    if (!desired) return true;
    const { order } = JSON.parse(desired.value.toString()) as { order: string };
    return this.disk.results.has(order);
  }

  /** The machine boots: what runs is the boot default. */
  boot(): void {
    this.up = true;
    if (this.runs !== this.disk.boot) this.run(this.disk.boot, 'boot');
    this.start();
  }

  /** The agent's process starts, on whatever runs. */
  start(): void {
    if (!this.up || this.process) return;
    const { spec, etcd, network, random, scheduler } = this.parts;
    const process = new SimProcess(`${spec.name}#${++this.#starts}`, scheduler);
    this.process = process;
    const shared = { process, host: spec.name, name: process.name, etcd, network, random, scheduler };
    this.instances = new Instances(spec.name, process, new EtcdClient(shared));
    this.#confirmed.clear();
    this.#onLinked = [];
    this.#waiting = undefined;
    this.#serve();
    const { job } = this.disk;
    if (job) this.#carry(job);
    void this.#dialOn(process);
  }

  /** kill -9 of the agent alone; the system, and a watchdog that is armed, run on. */
  crash(): void {
    this.process?.kill();
    this.process = undefined;
    this.#link = undefined;
    this.#job = undefined;
  }

  powerOff(): void {
    this.crash();
    this.up = false;
  }

  run(revision: string, why: string): void {
    this.runs = revision;
    this.parts.tell({ what: 'runs', node: this.name, revision, why });
  }

  /** The instances that shall be registered now. */
  #serve(): void {
    const { content } = this.parts;
    const drained = this.#job?.drained ?? [];
    const sick =
      this.disk.last?.outcome === 'unhealthy' ? content.appsOf(this.name, this.runs).slice(0, 1) : [];
    const apps = content.appsOf(this.name, this.runs);
    this.instances?.want(apps.filter((id) => !drained.includes(id) && !sick.includes(id)));
  }

  /** For the job: its instances as they shall be by now, and whether etcd has them so. */
  async served(limitMs: number): Promise<boolean> {
    this.#serve();
    return (await this.instances?.settled(limitMs)) ?? false;
  }

  /** A connection that began after this moment. */
  async freshLink(): Promise<void> {
    const linked = new Promise<void>((resolve) => this.#onLinked.push(resolve));
    this.#link?.close('agent');
    await linked;
  }

  /** Says that the order is proved; true when a controller confirmed it. */
  async prove(order: string): Promise<boolean> {
    this.#link?.toController({ say: 'proven', order });
    await this.process?.clock.sleep(500);
    return this.#confirmed.has(order);
  }

  #hear(message: ToAgent): void {
    if (message.say === 'confirm') {
      this.#confirmed.add(message.order);
      return;
    }
    const { disk } = this;
    const ended = [...disk.results.keys()];
    // Nobody restores this etcd: one epoch.
    const order = { id: message.order, epoch: 0, token: message.token, change: message.change };
    const seen = { epoch: 0, token: disk.token, change: disk.change };
    const verdict = judgeOrder(order, { ...seen, ended, running: disk.job?.order });
    if (verdict === 'refuse') return;
    const { token, change } = raise(seen, order);
    Object.assign(disk, { token, change });
    const known = disk.results.get(message.order);
    if (verdict === 'repeat' && known) this.#report(known);
    if (verdict !== 'take') return;
    // One at a time; a newer order replaces one that waits.
    if (this.#job) this.#waiting = message;
    else this.#take(message);
  }

  #take({ order, revision, token, change, confirmMs, force }: DesiredMessage): void {
    const job: JobRecord = {
      order,
      revision,
      token,
      change,
      confirmMs,
      force,
      from: this.runs,
      phase: 'building',
      verdict: 'open',
    };
    this.disk.job = job;
    this.parts.tell({ what: 'taken', node: this.name, order, revision, token, change, again: false });
    this.#carry(job);
  }

  #carry(record: JobRecord): void {
    const job = new AgentJob(this, record);
    this.#job = job;
    void job.run();
  }

  /** The end of an order: on disk first, then told. */
  end(record: JobRecord, outcome: string, message: string): void {
    const result = { order: record.order, revision: record.revision, outcome, message };
    this.disk.results.set(record.order, result);
    this.disk.last = result;
    this.disk.job = undefined;
    this.#job = undefined;
    this.parts.tell({ what: 'ended', node: this.name, order: record.order, outcome });
    this.#serve();
    this.#report(result);
    const next = this.#waiting;
    this.#waiting = undefined;
    if (next) this.#hear(next);
  }

  #report(result: AgentResult): void {
    this.#link?.toController({ say: 'result', result, revision: this.runs });
  }

  async #dialOn(process: SimProcess): Promise<void> {
    const { random, spec } = this.parts;
    for (;;) {
      let closed: () => void = () => {};
      const gone = new Promise<void>((resolve) => {
        closed = resolve;
      });
      const end: LinkEnd<ToAgent> = {
        process,
        host: spec.name,
        hear: (message) => this.#hear(message),
        closed: () => {
          this.#link = undefined;
          closed();
        },
      };
      const dialled = await this.parts.dial(end, spec.name);
      if (dialled) {
        this.#link = dialled.link;
        dialled.hello(this.runs);
        // A result is told again on every new connection.
        if (this.disk.last) this.#report(this.disk.last);
        const linked = this.#onLinked;
        this.#onLinked = [];
        for (const tell of linked) tell();
        await gone;
      }
      await process.clock.sleep(random.between(100, 1_500));
    }
  }
}
