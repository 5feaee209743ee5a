/** The memory driver, which here also records its calls and can be told to hang or to fail. */
import type { MachineDriver } from '../../machines/driver.js';
import { createMemoryDriver, type MemoryDriver } from '../../machines/memory-driver.js';

type Change = Exclude<keyof MachineDriver, 'state' | 'exec'>;

export interface RecordingDriver extends MemoryDriver {
  /** Every change that was asked for, e.g. `start s7`. */
  readonly calls: string[];
  /** Calls that throw, e.g. `start`. */
  readonly failing: Set<Change>;
  /** The machines that exist. */
  machines(): NonNullable<ReturnType<MemoryDriver['machine']>>[];
  /** Holds every later call of this name until the returned function is called. */
  hold(call: Change): () => void;
}

export function createRecordingDriver(): RecordingDriver {
  const memory = createMemoryDriver();
  const calls: string[] = [];
  const made = new Set<string>();
  const failing = new Set<Change>();
  const gates = new Map<Change, Promise<void>>();
  const enter = async (call: Change, id: string): Promise<void> => {
    calls.push(`${call} ${id}`);
    await gates.get(call);
    if (failing.has(call)) throw new Error(`${call} fails`);
  };
  const oneMachine =
    (call: 'start' | 'shutdown' | 'powerOff' | 'reboot' | 'destroy') => async (id: string) => {
      await enter(call, id);
      await memory[call](id);
    };
  return {
    ...memory,
    calls,
    failing,
    machines: () => [...made].flatMap((id) => memory.machine(id) ?? []),
    start: oneMachine('start'),
    shutdown: oneMachine('shutdown'),
    powerOff: oneMachine('powerOff'),
    reboot: oneMachine('reboot'),
    destroy: oneMachine('destroy'),
    async create(spec) {
      await enter('create', spec.id);
      await memory.create(spec);
      made.add(spec.id);
    },
    async snapshot(id, image) {
      await enter('snapshot', id);
      await memory.snapshot(id, image);
    },
    async link(id, up) {
      await enter('link', id);
      await memory.link(id, up);
    },
    async partition(id, others) {
      await enter('partition', id);
      await memory.partition(id, others);
    },
    async rejoin(id) {
      await enter('rejoin', id);
      await memory.rejoin(id);
    },
    hold(call) {
      let release = () => {};
      gates.set(
        call,
        new Promise((resolve) => {
          release = resolve;
        }),
      );
      return () => {
        gates.delete(call);
        release();
      };
    },
  };
}
