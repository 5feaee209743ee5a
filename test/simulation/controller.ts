/** A controller of the simulation: the real election and the real leader's loop in a process that can be hit. */
import type { Logger } from 'pino';
import { Election } from '../../controller/rollout/election.js';
import { RolloutRunner } from '../../controller/rollout/runner.js';
import type { SimEtcd } from './etcd.js';
import { type Call, EtcdClient } from './etcd-client.js';
import type { Network } from './network.js';
import { SimProcess } from './process.js';
import type { Random, Scheduler } from './scheduler.js';
import { Sessions } from './sessions.js';

export interface ControllerParts {
  etcd: SimEtcd;
  network: Network;
  random: Random;
  scheduler: Scheduler;
  log: Logger;
  beforeCall(call: Call, controller: Controller): void;
  afterCall(call: Call, controller: Controller): void;
}

/** One run of a controller. */
export interface Incarnation {
  process: SimProcess;
  sessions: Sessions;
  /** What the operators' calls use. */
  operators: EtcdClient;
  election: Election;
}

export class Controller {
  /** How wrong its wall clock is. */
  offsetMs = 0;
  running: Incarnation | undefined;
  #starts = 0;

  constructor(
    readonly name: string,
    private readonly parts: ControllerParts,
  ) {}

  start(): void {
    if (this.running) return;
    const { etcd, network, random, scheduler, log } = this.parts;
    const name = `${this.name}#${++this.#starts}`;
    const process = new SimProcess(name, scheduler, () => this.offsetMs);
    const shared = { process, host: this.name, etcd, network, random, scheduler };
    const hooks = {
      beforeCall: (call: Call) => this.parts.beforeCall(call, this),
      afterCall: (call: Call) => this.parts.afterCall(call, this),
    };
    const leading = new EtcdClient({ ...shared, ...hooks, name: `${name}/leader` });
    const sessions = new Sessions(name, process, new EtcdClient({ ...shared, name: `${name}/sessions` }));
    const operators = new EtcdClient({ ...shared, ...hooks, name: `${name}/operators` });
    const election = new Election({ etcd: leading, controller: name, clock: process.clock, log });
    const runner = new RolloutRunner({ etcd: leading, clock: process.clock, log });
    this.running = { process, sessions, operators, election };
    void election.run((leadership) => runner.lead(leadership));
  }

  kill(): void {
    this.running?.process.kill();
    this.running = undefined;
  }

  /** SIGTERM: it gives its leadership back, and is gone soon. */
  stop(): void {
    const { running } = this;
    if (!running) return;
    void running.election.stop().then(() => running.process.kill());
    running.process.after(2_000, () => running.process.kill());
    this.running = undefined;
  }

  pause(ms: number): void {
    const process = this.running?.process;
    process?.pause();
    this.parts.scheduler.after(ms, () => process?.resume());
  }
}
