/** A switch as data: which units are stopped, skipped, reloaded, restarted and started, in that order. */
import { type Action, decide } from '#switch/decide';
import type { UnitFile } from '#switch/unit-file';

export interface SwitchPlan {
  stop: string[];
  skip: string[];
  reload: string[];
  restart: string[];
  start: string[];
}

/** Units of one system, by name. */
export interface UnitSource {
  /** The unit with its drop-ins; null where there is none or it is a link to /dev/null. */
  read(name: string): UnitFile | null;
  /** Targets that this system declares or hangs units on. */
  targets(): readonly string[];
}

/** Actions of an earlier switch that was cut off before it was done with them. */
export type Unfinished = Pick<SwitchPlan, 'reload' | 'restart' | 'start'>;

export function planSwitch(input: {
  active: readonly string[];
  before: UnitSource;
  after: UnitSource;
  unfinished: Unfinished;
}): SwitchPlan {
  const { active, before, after, unfinished } = input;
  const plan: SwitchPlan = {
    stop: [],
    skip: [],
    reload: [...unfinished.reload],
    restart: [...unfinished.restart],
    start: [...unfinished.start],
  };
  for (const name of active) {
    const old = before.read(name);
    // A unit of Debian's, or one that somebody started by hand, is none of this system's business.
    if (!old) continue;
    const socket = `${name.replace(/\.service$/, '')}.socket`;
    const hasSocket = name.endsWith('.service') && after.read(socket) !== null;
    add(plan, decide({ name, before: old, after: after.read(name), hasSocket }), name, socket);
  }
  // Starting a target that is up already starts what it wants by now. Debian's own targets are asked too.
  const wanting = after.targets().filter((target) => active.includes(target));
  plan.start.push(...wanting.filter((target) => !plan.stop.includes(target)));
  return tidy(plan);
}

/** What a person is told: targets are started every time and would only be noise. */
export function worthTelling(units: readonly string[]): string[] {
  return units.filter((unit) => !unit.endsWith('.target'));
}

function add(plan: SwitchPlan, action: Action, name: string, socket: string): void {
  switch (action) {
    case 'nothing':
      return;
    case 'stop':
    case 'skip':
    case 'reload':
    case 'restart':
    case 'start':
      plan[action].push(name);
      return;
    case 'stop-start':
    case 'stop-start-target':
      plan.stop.push(name);
      plan.start.push(name);
      return;
    case 'stop-start-socket':
      // The socket goes first: a connection in between would start the service with its old unit.
      plan.stop.push(socket, name);
      plan.start.push(socket);
      return;
  }
}

/** A unit that is restarted or started needs no reload, one that is started after a stop no restart. */
function tidy(plan: SwitchPlan): SwitchPlan {
  const start = sorted(plan.start);
  const restart = sorted(plan.restart).filter((unit) => !start.includes(unit));
  const reload = sorted(plan.reload).filter((unit) => !start.includes(unit) && !restart.includes(unit));
  return { stop: sorted(plan.stop), skip: sorted(plan.skip), reload, restart, start };
}

function sorted(units: readonly string[]): string[] {
  return [...new Set(units)].toSorted();
}
