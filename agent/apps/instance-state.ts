/** The state of one instance, from what its unit and its check say. Pure. */

export type InstanceState = 'stopped' | 'starting' | 'healthy' | 'unhealthy';

/** Which states may follow which. */
export const transitions: Readonly<Record<InstanceState, readonly InstanceState[]>> = {
  stopped: ['starting', 'healthy'],
  starting: ['healthy', 'unhealthy', 'stopped'],
  healthy: ['unhealthy', 'stopped', 'starting'],
  unhealthy: ['healthy', 'stopped', 'starting'],
};

export interface Instance {
  state: InstanceState;
  /** Results of the same kind in a row. */
  passes: number;
  fails: number;
  /** When the unit was first seen active, on the clock of this process that nobody can set, ms. */
  activeSinceMs: number;
  detail: string;
}

export type Observation =
  | { kind: 'unit'; activeState: string }
  | { kind: 'check'; ok: boolean; detail: string }
  /** Proof is wanted anew: what was seen before a switch says nothing about after it. */
  | { kind: 'again' };

export interface Rules {
  rise: number;
  fall: number;
  startGraceMs: number;
  /** Without a check an active unit is a healthy instance. */
  checked: boolean;
}

export const initialInstance: Instance = {
  state: 'stopped',
  passes: 0,
  fails: 0,
  activeSinceMs: 0,
  detail: 'not seen yet',
};

function begin(rules: Rules, nowMs: number): Instance {
  const state = rules.checked ? 'starting' : 'healthy';
  return { state, passes: 0, fails: 0, activeSinceMs: nowMs, detail: '' };
}

export function observe(instance: Instance, seen: Observation, rules: Rules, nowMs: number): Instance {
  if (seen.kind === 'unit') {
    // `reloading` serves; everything else does not, or not yet.
    const active = seen.activeState === 'active' || seen.activeState === 'reloading';
    if (!active) return { ...initialInstance, detail: `unit ${seen.activeState}` };
    return instance.state === 'stopped' ? begin(rules, nowMs) : instance;
  }
  if (instance.state === 'stopped') return instance;
  if (seen.kind === 'again') return begin(rules, nowMs);
  if (seen.ok) {
    const passes = instance.passes + 1;
    const state = passes >= rules.rise ? 'healthy' : instance.state;
    return { ...instance, state, passes, fails: 0, detail: seen.detail };
  }
  const fails = instance.fails + 1;
  const next = { ...instance, passes: 0, fails, detail: seen.detail };
  if (instance.state === 'healthy') return fails >= rules.fall ? { ...next, state: 'unhealthy' } : next;
  const late = nowMs - instance.activeSinceMs >= rules.startGraceMs;
  return instance.state === 'starting' && late ? { ...next, state: 'unhealthy' } : next;
}
