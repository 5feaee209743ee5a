/** Whether a node proved itself after an activation. Pure: what was seen before and after comes in, complaints come out. */

/** A unit as systemd shows it. */
export interface UnitState {
  /** active, activating, inactive, failed, … */
  active: string;
  /** e.g. running, exited, auto-restart */
  sub: string;
  /** success, exit-code, … */
  result: string;
  /** Type of a service; empty for other units. */
  type: string;
  /** How often systemd started it again by itself. */
  restarts: number;
  /** False when a condition of the unit kept it from starting. */
  condition: boolean;
  /** True when a timer, socket or path starts it: then it may end without being missed. */
  triggered: boolean;
}
export type UnitStates = ReadonlyMap<string, UnitState>;

/** What a system says about units. */
export interface SystemUnits {
  /** Units with a file in it. */
  defined: readonly string[];
  /** Those that its targets want. */
  wanted: readonly string[];
}

/** What worked before the activation. */
export interface Before {
  /** Active units that the old system defines. */
  active: string[];
  failed: string[];
  /** Restarts counted so far, for units that the activation does not touch. */
  restarts: Record<string, number>;
  /** Whether a login over sshd worked; only then it is demanded afterwards. */
  ssh: boolean;
}

const provable = /\.(service|socket|timer|mount|path)$/;

/** Units that must be proved, and whether each is new. Templates are no units. */
export function demanded(
  before: Pick<Before, 'active'>,
  old: SystemUnits,
  now: SystemUnits,
): { kept: string[]; added: string[] } {
  const concerns = (unit: string) => provable.test(unit) && !/@\.[a-z]+$/.test(unit);
  const defined = new Set(now.defined);
  const former = new Set([...old.defined, ...old.wanted]);
  return {
    kept: before.active.filter((unit) => concerns(unit) && defined.has(unit)),
    added: now.wanted.filter((unit) => concerns(unit) && !former.has(unit)),
  };
}

/** `good`, still on its way, or bad for a reason. */
type Verdict = { is: 'good' | 'coming' } | { is: 'bad'; why: string };

export interface UnitRules {
  /** Restarts that a unit may need while it comes up, e.g. until what it depends on is there. */
  restartsAllowed: number;
}

/** Whether the unit is up. `since` is the number of restarts counted before. */
export function judgeUnit(
  unit: string,
  state: UnitState | undefined,
  since: number,
  added: boolean,
  rules: UnitRules,
): Verdict {
  if (!state) return { is: 'bad', why: `${unit} is not there` };
  if (state.active === 'failed') return { is: 'bad', why: `${unit} failed (${state.result})` };
  if (state.restarts - since > rules.restartsAllowed)
    return { is: 'bad', why: `${unit} restarts by itself (${state.restarts - since} times)` };
  if (state.sub.startsWith('auto-restart')) return { is: 'coming' };
  if (state.active === 'active' || state.active === 'reloading' || state.active === 'refreshing')
    return { is: 'good' };
  if (state.active === 'activating' || state.active === 'deactivating') return { is: 'coming' };
  const ended = state.result === 'success';
  if (ended && !state.condition) return { is: 'good' };
  if (ended && (state.triggered || (added && state.type === 'oneshot'))) return { is: 'good' };
  return { is: 'bad', why: `${unit} is ${state.active}` };
}

export interface Judgement {
  /** Why it is not proved and will not be. */
  complaints: { unit: string; why: string }[];
  /** What is still on its way. */
  coming: string[];
}

/** Judges all units at one moment. `baseline` holds the restarts counted before, by unit. */
export function judgeUnits(
  units: { kept: readonly string[]; added: readonly string[] },
  states: UnitStates,
  baseline: Readonly<Record<string, number>>,
  rules: UnitRules,
): Judgement {
  const result: Judgement = { complaints: [], coming: [] };
  for (const [names, added] of [
    [units.kept, false],
    [units.added, true],
  ] as const) {
    for (const unit of names) {
      const verdict = judgeUnit(unit, states.get(unit), baseline[unit] ?? 0, added, rules);
      if (verdict.is === 'bad') result.complaints.push({ unit, why: verdict.why });
      else if (verdict.is === 'coming') result.coming.push(unit);
    }
  }
  return result;
}

/** Units that failed and had not before. */
export function newlyFailed(before: readonly string[], after: readonly string[]): string[] {
  return after.filter((unit) => !before.includes(unit));
}

/** The restarts counted so far of units that the activation left alone; one that it started begins at 0 again. */
export function baselineOf(before: Before, touched: readonly string[]): Record<string, number> {
  const skip = new Set(touched);
  return Object.fromEntries(Object.entries(before.restarts).filter(([unit]) => !skip.has(unit)));
}
