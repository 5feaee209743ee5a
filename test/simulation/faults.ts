/** What goes wrong, and when: by time, and at a step of the journal (before the transaction, or between it and its reply). */
import { keys } from '../../controller/store/keys.js';
import type { Agent } from './agent.js';
import type { Controller } from './controller.js';
import type { SimEtcd } from './etcd.js';
import type { Call } from './etcd-client.js';
import type { Network } from './network.js';
import type { Scenario } from './scenario.js';
import type { Random, Scheduler } from './scheduler.js';

export interface FaultParts {
  scenario: Scenario;
  controllers: readonly Controller[];
  agents: readonly Agent[];
  etcd: SimEtcd;
  network: Network;
  random: Random;
  scheduler: Scheduler;
  note(text: string): void;
}

/** Hits whoever makes the n-th step. */
interface Strike {
  step: number;
  when: 'before' | 'after';
  how: 'kill' | 'pause' | 'cut' | 'strand';
}

export class Faults {
  calm = false;
  readonly struck: string[] = [];
  #strikes: Strike[];
  #steps = { before: 0, after: 0 };

  constructor(private readonly parts: FaultParts) {
    const { scenario, random, network, scheduler } = parts;
    network.lossy = scenario.lossy;
    network.slow = scenario.slow;
    this.#strikes = Array.from({ length: scenario.strikes }, () => ({
      step: random.int(1, 25),
      when: random.pick(['before', 'after'] as const),
      how: random.pick(['kill', 'kill', 'pause', 'cut', 'strand'] as const),
    }));
    for (let i = 0; i < scenario.faults; i++)
      scheduler.after(random.between(0, scenario.calmAtMs * 0.9), () => this.#fault());
    scheduler.after(scenario.calmAtMs, () => this.#cease());
  }

  /** Called for the calls of leaders, and for those that operators make at a controller. */
  at(when: 'before' | 'after', call: Call, controller: Controller): void {
    if (call.what !== 'transact' || this.calm) return;
    if (!call.keys.some((key) => key.startsWith(keys.rollouts) || key === keys.leader)) return;
    const step = ++this.#steps[when];
    for (const strike of this.#strikes) {
      if (strike.how === 'strand') {
        if (strike.step <= step) this.#strand(strike, call);
        continue;
      }
      if (strike.when !== when || strike.step !== step) continue;
      this.struck.push(`${when} ${strike.how}`);
      this.parts.note(`strike: ${strike.how} ${controller.name} ${when} step ${step}`);
      this.#hit(controller, strike.how);
    }
  }

  /** Cuts a node off just when it is ordered something. */
  #strand(strike: Strike, call: Call): void {
    const { agents, controllers, network, random, note } = this.parts;
    const agent = agents.find(({ name }) => call.keys.includes(keys.desired(name)));
    if (!agent) return;
    this.#strikes = this.#strikes.filter((other) => other !== strike);
    this.struck.push('strand');
    note(`strike: ${agent.name} is cut off with its order`);
    const ms = random.between(2_000, 70_000);
    for (const controller of controllers) network.cut(agent.name, controller.name, ms);
  }

  #hit(controller: Controller, how: 'kill' | 'pause' | 'cut'): void {
    const { random, scheduler, network } = this.parts;
    if (how === 'kill') {
      controller.kill();
      scheduler.after(random.between(300, 12_000), () => controller.start());
    } else if (how === 'pause') controller.pause(random.between(500, 14_000));
    else network.cut(controller.name, 'etcd', random.between(500, 14_000));
  }

  #fault(): void {
    if (this.calm) return;
    const { random, note, controllers, agents, etcd, network, scheduler } = this.parts;
    const controller = random.pick(controllers);
    const agent = random.pick(agents);
    const kinds: Record<string, () => void> = {
      [`kill ${controller.name}`]: () => this.#hit(controller, 'kill'),
      [`pause ${controller.name}`]: () => this.#hit(controller, 'pause'),
      [`cut ${controller.name} from etcd`]: () => this.#hit(controller, 'cut'),
      [`stop ${controller.name}`]: () => {
        controller.stop();
        scheduler.after(random.between(1_000, 8_000), () => controller.start());
      },
      'kill all controllers': () => {
        for (const one of controllers) this.#hit(one, 'kill');
      },
      'etcd without quorum': () => {
        etcd.quorum = false;
        scheduler.after(random.between(300, 12_000), () => etcd.elected());
      },
      [`clock of ${controller.name} jumps`]: () => {
        const ms = random.pick([2_000, 60_000, 7_200_000]) * random.next();
        controller.offsetMs += random.chance(0.5) ? ms : -ms;
      },
      [`cut ${agent.name} from controllers`]: () => {
        const ms = random.between(1_000, 40_000);
        for (const one of controllers) if (random.chance(0.8)) network.cut(agent.name, one.name, ms);
      },
      [`cut ${agent.name} from etcd`]: () => network.cut(agent.name, 'etcd', random.between(1_000, 25_000)),
      [`cut ${agent.name} from all`]: () => {
        const ms = random.between(1_000, 60_000);
        for (const other of ['etcd', ...controllers.map(({ name }) => name)])
          network.cut(agent.name, other, ms);
      },
      [`crash the agent of ${agent.name}`]: () => {
        agent.crash();
        scheduler.after(random.between(300, 6_000), () => agent.start());
      },
      [`pause the agent of ${agent.name}`]: () => {
        const { process } = agent;
        process?.pause();
        scheduler.after(random.between(500, 20_000), () => process?.resume());
      },
      [`reboot ${agent.name}`]: () => {
        if (!agent.up) return;
        agent.powerOff();
        scheduler.after(random.between(2_000, 60_000), () => agent.boot());
      },
    };
    const what = random.pick(Object.keys(kinds));
    note(`fault: ${what}`);
    kinds[what]?.();
  }

  /** Everything heals; only nodes that are gone for ever stay away. */
  #cease(): void {
    const { controllers, etcd, network, note } = this.parts;
    this.calm = true;
    note('faults cease');
    network.lossy = 0;
    network.slow = 0;
    network.heal();
    if (!etcd.quorum) etcd.elected();
    for (const controller of controllers) {
      controller.running?.process.resume();
      controller.start();
    }
  }
}
