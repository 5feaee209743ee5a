/** Keeps the state on disk: every commit is a whole new file, renamed into place, so a kill leaves the old or the new. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { Problem } from '../../shared/errors.js';
import { labApiDefaults } from './defaults.js';
import type { LabState } from './state.js';

// Only the outline is checked: the file is ours, but a foreign or half-edited one must not be taken for ours.
const outline = z.looseObject({
  version: z.literal(1),
  lastId: z.int(),
  projects: z.array(
    z.looseObject({ name: z.string(), tokens: z.array(z.looseObject({ token: z.string() })) }),
  ),
  servers: z.array(z.looseObject({ id: z.int() })),
  sshKeys: z.array(z.looseObject({ id: z.int() })),
  placementGroups: z.array(z.looseObject({ id: z.int() })),
  snapshots: z.array(z.looseObject({ id: z.int() })),
  primaryIps: z.array(z.looseObject({ id: z.int() })),
  actions: z.array(z.looseObject({ id: z.int() })),
  faults: z.array(z.looseObject({ id: z.int() })),
});

/** The state of the lab's API, and the only place that writes it. */
export class Store {
  private current: LabState;

  private constructor(
    private readonly file: string,
    initial: LabState,
  ) {
    this.current = initial;
  }

  /** Opens the file, or starts it with `initial` when there is none. Throws `lab.failed` on a file that is not ours. */
  static open(file: string, initial: () => LabState): Store {
    const found = readState(file);
    const store = new Store(file, found ?? initial());
    store.commit(store.state);
    return store;
  }

  get state(): LabState {
    return this.current;
  }

  commit(next: LabState): void {
    this.current = pruned(next);
    mkdirSync(dirname(this.file), { recursive: true });
    const fresh = `${this.file}.new`;
    // Holds tokens and user data with host keys.
    writeFileSync(fresh, `${JSON.stringify(this.current)}\n`, { mode: 0o600 });
    renameSync(fresh, this.file);
  }
}

function readState(file: string): LabState | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw Problem.from(error, 'lab.failed', { where: file });
  }
  try {
    return outline.parse(JSON.parse(text)) as unknown as LabState;
  } catch (error) {
    throw new Problem('lab.failed', 'The state file of the lab API cannot be read', {
      where: file,
      cause: error,
      reason: error instanceof z.ZodError ? z.prettifyError(error) : String(error),
      next: 'move the file away to start with an empty lab',
    });
  }
}

function pruned(state: LabState): LabState {
  const surplus = state.actions.length - labApiDefaults.keptActions;
  if (surplus <= 0) return state;
  let dropped = 0;
  const actions = state.actions.filter((action) => {
    if (dropped >= surplus || action.status === 'running') return true;
    dropped += 1;
    return false;
  });
  return { ...state, actions };
}
