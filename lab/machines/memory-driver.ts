import { Problem } from '../../shared/errors.js';
import type { MachineDriver, MachineSpec, MachineState } from './driver.js';

interface MemoryMachine {
  spec: MachineSpec;
  state: MachineState;
  linked: boolean;
  /** Machines that it is cut from. */
  cutFrom: ReadonlySet<string>;
}

export interface MemoryDriver extends MachineDriver {
  /** What `create` was given, and how the machine stands now; undefined when it is absent. */
  machine(id: string): Readonly<MemoryMachine> | undefined;
}

/** Machines that exist in this process only: for tests of what stands above the driver. `exec` echoes its arguments. */
export function createMemoryDriver(images: readonly string[] = ['nixos', 'debian']): MemoryDriver {
  const machines = new Map<string, MemoryMachine>();
  const snapshots = new Set(images);

  const found = (id: string): MemoryMachine => {
    const machine = machines.get(id);
    if (machine) return machine;
    throw new Problem('lab.failed', `There is no machine ${id}`);
  };

  return {
    machine: (id) => machines.get(id),
    async create(spec) {
      if (machines.has(spec.id)) return;
      if (!snapshots.has(spec.image)) throw new Problem('lab.failed', `There is no image "${spec.image}"`);
      machines.set(spec.id, { spec, state: 'off', linked: true, cutFrom: new Set() });
    },
    async start(id) {
      found(id).state = 'running';
    },
    async shutdown(id) {
      found(id).state = 'off';
    },
    async powerOff(id) {
      const machine = machines.get(id);
      if (machine) machine.state = 'off';
    },
    async reboot(id) {
      found(id).state = 'running';
    },
    async destroy(id) {
      machines.delete(id);
    },
    async state(id) {
      return machines.get(id)?.state ?? 'absent';
    },
    async snapshot(id, image) {
      if (found(id).state !== 'off')
        throw new Problem('lab.failed', `Machine ${id} has to be off for a snapshot`);
      snapshots.add(image);
    },
    async link(id, up) {
      found(id).linked = up;
    },
    async partition(id, others) {
      for (const other of others) {
        const [one, two] = [found(id), found(other)];
        one.cutFrom = new Set([...one.cutFrom, other]);
        two.cutFrom = new Set([...two.cutFrom, id]);
      }
    },
    async rejoin(id) {
      found(id).cutFrom = new Set();
      for (const other of machines.values())
        other.cutFrom = new Set([...other.cutFrom].filter((peer) => peer !== id));
    },
    async exec(id, argv) {
      if (found(id).state !== 'running') throw new Problem('lab.failed', `Machine ${id} does not run`);
      return { code: 0, stdout: `${argv.slice(1).join(' ')}\n`, stderr: '' };
    },
  };
}
