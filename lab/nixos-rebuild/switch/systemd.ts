/** systemd of this machine. */
import { spawnSync } from 'node:child_process';

export interface UnitState {
  name: string;
  /** active, activating, inactive, failed, … */
  active: string;
  /** running, auto-restart, … */
  sub: string;
}

/** Runs a program with this process's output; true when it ended well. */
export function ran(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}

/** `systemctl VERB UNITS`; true also when there are none. */
export function systemctl(verb: string, units: readonly string[]): boolean {
  return units.length === 0 || ran('systemctl', verb, '--', ...units);
}

/** All loaded units. Throws when systemd does not answer. */
export function listUnits(): UnitState[] {
  const { stdout, status, error } = spawnSync(
    'systemctl',
    ['list-units', '--all', '--full', '--output=json'],
    {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  if (status !== 0) throw new Error(`systemd does not answer: ${error?.message ?? stdout}`);
  const rows = JSON.parse(stdout) as { unit: string; active: string; sub: string }[];
  return rows.map(({ unit, active, sub }) => ({ name: unit, active, sub }));
}

/** Names of the units that run or are about to. */
export function activeUnits(units: readonly UnitState[]): string[] {
  return units.filter(({ active }) => active === 'active' || active === 'activating').map(({ name }) => name);
}

/** Units that failed, also those that only wait for their next try. */
export function failedUnits(units: readonly UnitState[]): string[] {
  return units
    .filter(({ active, sub }) => active === 'failed' || sub === 'auto-restart')
    .map(({ name }) => name)
    .toSorted();
}
