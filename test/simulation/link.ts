/** One stream between an agent and a controller: in order, late, and gone without both ends learning of it at once. */
import type { Network } from './network.js';
import type { SimProcess } from './process.js';
import type { Random, Scheduler } from './scheduler.js';

export type ToAgent =
  | {
      say: 'desired';
      revision: string;
      order: string;
      token: number;
      change: number;
      confirmMs: number;
      force: boolean;
    }
  | { say: 'confirm'; order: string };

export interface AgentResult {
  order: string;
  revision: string;
  outcome: string;
  message: string;
}

export type ToController =
  | { say: 'hello'; revision: string }
  | { say: 'result'; result: AgentResult; revision: string }
  | { say: 'proven'; order: string };

export interface LinkEnd<In> {
  process: SimProcess;
  host: string;
  hear(message: In): void;
  closed(): void;
}

export class Link {
  readonly #forgetCuts: () => void;
  /** What each end believes. */
  readonly open = { agent: true, controller: true };
  #broken = false;
  #lastAt = { agent: 0, controller: 0 };

  constructor(
    private readonly parts: { network: Network; scheduler: Scheduler; random: Random },
    private readonly agent: LinkEnd<ToAgent>,
    private readonly controller: LinkEnd<ToController>,
  ) {
    agent.process.atDeath(() => this.#closeSoon('controller', 0, 1_000));
    controller.process.atDeath(() => this.#closeSoon('agent', 0, 1_000));
    const { network, scheduler, random } = parts;
    const isCut = () => network.isCut(agent.host, controller.host);
    this.#forgetCuts = network.onCut(() => {
      // Pings find a cut that lasts.
      if (isCut())
        scheduler.after(random.between(3_000, 15_000), () => {
          if (isCut()) this.#break();
        });
    });
  }

  toAgent(message: ToAgent): void {
    if (!this.open.controller) return;
    // A watch that was broken tells the same again, and what is on its way may be overtaken.
    const { random, network } = this.parts;
    const fate = network.lossy > 0 ? random.next() : 1;
    if (fate < 0.1) this.agent.process.after(this.#lateMs(), () => this.agent.hear(message));
    if (fate > 0.05) this.#pass('agent', this.agent, () => this.agent.hear(message));
  }

  toController(message: ToController): void {
    if (!this.open.agent) return;
    this.#pass('controller', this.controller, () => {
      if (this.open.controller) this.controller.hear(message);
    });
  }

  /** Ends for whoever ends it at once, for the other end soon. */
  close(by: 'agent' | 'controller'): void {
    this.#closed(by);
    this.#closeSoon(by === 'agent' ? 'controller' : 'agent', 1, 20);
  }

  #pass(to: 'agent' | 'controller', end: { process: SimProcess }, run: () => void): void {
    const { network, scheduler } = this.parts;
    const at = Math.max(this.#lastAt[to], scheduler.now + network.latency());
    this.#lastAt[to] = at;
    scheduler.after(at - scheduler.now, () => {
      if (end.process.state === 'dead' || this.#broken) return;
      // A stopped process does not answer pings either.
      const silent = network.isCut(this.agent.host, this.controller.host) || end.process.state === 'paused';
      if (silent) this.#closeSoon(to === 'agent' ? 'controller' : 'agent', 3_000, 15_000);
      if (!network.isCut(this.agent.host, this.controller.host) && !network.lost()) {
        end.process.deliver(run);
        return;
      }
      this.#break();
      // What was stuck in a broken stream may come long after a newer one began.
      if (to === 'agent' && this.parts.random.chance(0.6))
        end.process.after(this.parts.random.between(500, 100_000), run);
    });
  }

  #lateMs(): number {
    const { random } = this.parts;
    return random.pick([1_000, 20_000, 90_000]) * random.next();
  }

  /** A stream that lost something carries nothing any more. */
  #break(): void {
    this.#broken = true;
    this.#closeSoon('agent', 1_000, 8_000);
    this.#closeSoon('controller', 1_000, 15_000);
  }

  #closeSoon(end: 'agent' | 'controller', least: number, most: number): void {
    const { scheduler, random } = this.parts;
    if (!this.open[end]) return;
    scheduler.after(random.between(least, most), () => this[end].process.deliver(() => this.#closed(end)));
  }

  #closed(end: 'agent' | 'controller'): void {
    if (!this.open[end]) return;
    this.open[end] = false;
    this.#forgetCuts();
    this[end].closed();
    // The other end is told, or misses the answers to its pings.
    this.#closeSoon(end === 'agent' ? 'controller' : 'agent', 1, 10_000);
  }
}
