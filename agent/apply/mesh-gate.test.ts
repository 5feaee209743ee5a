import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { InstanceRef } from '../../proto/gen/nixinfra/v1/agent.js';
import type { AppsControl } from './apps-control.js';
import { MeshGate } from './mesh-gate.js';

const hello = {
  id: 'frontends/hello',
  instance: 'worker001',
  group: 'frontends',
  name: 'hello',
  unit: 'hello.service',
  address: '10.10.3.0:80',
};
const options = { drainAckMs: 0, drainMs: 0, settleMs: 0, confirmMs: 0, routeMs: 0, force: false };

interface World {
  /** Whether etcd confirms. */
  etcd?: boolean;
  reached?: boolean;
  /** Open connections at each look; the last stays. */
  connections?: number[];
  coming?: string[];
}

function gateOf({ etcd = true, reached = true, connections = [0], coming = [] }: World) {
  const done: string[] = [];
  let now = 0;
  const apps: AppsControl = {
    declared: () => [hello],
    hold: async (ids) => {
      done.push(`hold ${ids.join()}`);
      return etcd;
    },
    release: () => void done.push('release'),
    renew: async () => {},
    unhealthy: () => ({ coming, lost: [] }),
    longestGraceMs: () => 0,
    registered: () => true,
  };
  const gate = new MeshGate({
    apps,
    activator: {
      connectionsTo: async (address) => {
        const open = connections.length > 1 ? connections.shift() : connections[0];
        done.push(`${open ?? 0} to ${address}`);
        return open ?? 0;
      },
    },
    clock: {
      now: () => {
        throw new Error('the wall clock measures nothing');
      },
      monotonic: () => now,
      sleep: async (ms) => {
        now += ms;
      },
    },
    log: pino({ level: 'silent' }),
    barrier: async (_order, name, instances: InstanceRef[], limitMs) => {
      done.push(`${name} ${instances.map(({ app, id }) => `${app}@${id}`).join()} ${limitMs}`);
      return { reached, waiting: reached ? [] : ['ingress001'] };
    },
  });
  return { gate, done };
}

const job = { order: 'o', held: ['frontends/hello'], options };

describe('draining', () => {
  it('waits for the mesh, and then for the connections', async () => {
    const { gate, done } = gateOf({ connections: [2, 1, 0] });
    await gate.drain(job);
    expect(done).toEqual([
      'hold frontends/hello',
      'dropped hello@worker001 20000',
      '2 to 10.10.3.0:80',
      '1 to 10.10.3.0:80',
      '0 to 10.10.3.0:80',
    ]);
  });
  it('is given up when the mesh does not take notice', async () => {
    const { gate, done } = gateOf({ reached: false });
    await expect(gate.drain(job)).rejects.toThrow('still served by ingress001');
    expect(done.some((line) => line.includes(' to '))).toBe(false);
  });
  it('is given up when etcd does not confirm', async () => {
    await expect(gateOf({ etcd: false }).gate.drain(job)).rejects.toThrow('etcd did not confirm');
  });
  it('waits for connections no longer than told', async () => {
    const { gate, done } = gateOf({ connections: [1] });
    await gate.drain({ ...job, options: { ...options, drainMs: 300 } });
    expect(done.filter((line) => line.startsWith('1 to'))).toHaveLength(4);
  });
  it('waits for nothing when forced', async () => {
    const { gate, done } = gateOf({ etcd: false, reached: false, connections: [1] });
    await gate.drain({ ...job, options: { ...options, force: true } });
    expect(done).toEqual(['hold frontends/hello']);
  });
  it('asks nobody about no instances', async () => {
    const { gate, done } = gateOf({ reached: false });
    await gate.drain({ ...job, held: [] });
    expect(done).toEqual(['hold ']);
  });
});

describe('opening', () => {
  it('waits until the mesh serves the instances', async () => {
    const { gate, done } = gateOf({});
    expect(await gate.open(job)).toBe('');
    expect(done).toEqual(['release', 'served hello@worker001 30000']);
  });
  it('says who does not serve them', async () => {
    expect(await gateOf({ reached: false }).gate.open(job)).toContain('ingress001');
  });
  it('does not wait for ever for one that does not become healthy, and does not ask about it', async () => {
    const { gate, done } = gateOf({ coming: ['frontends/hello'] });
    await gate.open(job);
    expect(done).toEqual(['release', 'served  1']);
  });
});
