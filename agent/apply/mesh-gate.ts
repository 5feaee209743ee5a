/** Takes the instances that an activation touches out of the mesh, and brings them back into it. */
import type { Logger } from 'pino';
import type { ApplyOptions, InstanceRef } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import type { BarrierEnd, BarrierName } from '../session/barrier.js';
import type { Activator } from './activator.js';
import type { AppsControl, DeclaredApp } from './apps-control.js';
import { Rejected } from './preparation.js';

export interface MeshGateParts {
  apps: AppsControl;
  activator: Pick<Activator, 'connectionsTo'>;
  clock: Clock;
  log: Logger;
  /** Waits until the mesh has taken notice. */
  barrier(order: string, name: BarrierName, instances: InstanceRef[], limitMs: number): Promise<BarrierEnd>;
}

interface Gated {
  order: string;
  held: readonly string[];
  options: ApplyOptions | undefined;
}

const orDefault = (value: number | undefined, fallback: number) => value || fallback;

export class MeshGate {
  constructor(private readonly parts: MeshGateParts) {}

  /**
   * Returns when no haproxy sends requests to the instances and those under way have ended, or their time is over. Throws Rejected when
   * the mesh has not taken notice in time. With force nothing is waited for.
   */
  async drain({ order, held, options }: Gated): Promise<void> {
    const { apps, barrier, activator, clock, log } = this.parts;
    const instances = this.#instances(held);
    if (options?.force) {
      void apps.hold(held);
      return;
    }
    const confirmed = await apps.hold(held);
    if (instances.length === 0) return;
    if (!confirmed) throw new Rejected('etcd did not confirm that the instances are out of the mesh');
    const limit = orDefault(options?.drainAckMs, defaults.drainAckMs);
    const refs = instances.map((app) => this.#ref(app));
    const { reached, waiting } = await barrier(order, 'dropped', refs, limit);
    if (!reached) {
      const whom = waiting.length > 0 ? `still served by ${waiting.join(', ')}` : 'no controller answered';
      throw new Rejected(`the instances did not leave the mesh in ${limit / 1000} s: ${whom}`);
    }
    const deadline = clock.monotonic() + orDefault(options?.drainMs, defaults.drainMs);
    for (const { id, address } of instances) {
      while ((await activator.connectionsTo(address)) > 0) {
        if (clock.monotonic() >= deadline) {
          log.warn({ app: id, address }, 'connections are still open; going on');
          break;
        }
        await clock.sleep(defaults.drainPollMs);
      }
    }
  }

  /** Lets the instances in again; returns what is worth telling, empty when the whole mesh serves them. */
  async open({ order, held, options }: Gated): Promise<string> {
    const { apps, barrier, clock } = this.parts;
    const limit = orDefault(options?.routeMs, defaults.routeMs);
    const deadline = clock.monotonic() + limit;
    apps.release();
    if (options?.force) return '';
    const isHeld = (id: string) => held.includes(id);
    for (;;) {
      const coming = apps.unhealthy().coming.filter(isHeld);
      if (clock.monotonic() >= deadline) break;
      if (coming.length === 0 && apps.registered(held)) break;
      await clock.sleep(defaults.provePollMs);
    }
    const { coming, lost } = apps.unhealthy();
    const healthy = this.#instances(held.filter((id) => !coming.includes(id) && !lost.includes(id)));
    const left = Math.max(1, deadline - clock.monotonic());
    const refs = healthy.map((app) => this.#ref(app));
    const { reached, waiting } = await barrier(order, 'served', refs, left);
    if (reached) return '';
    const whom = waiting.length > 0 ? waiting.join(', ') : 'the controller';
    return `not every haproxy serves the instances again (${whom})`;
  }

  #instances(ids: readonly string[]): DeclaredApp[] {
    return this.parts.apps.declared().filter((app) => ids.includes(app.id));
  }

  #ref({ group, name, instance, address }: DeclaredApp): InstanceRef {
    return { group, app: name, id: instance, address };
  }
}
