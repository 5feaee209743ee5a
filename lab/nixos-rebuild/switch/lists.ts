/** Lists of units in /run/nixos: what a switch still has to do, and what activation scripts ask of it. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SwitchPlan, Unfinished } from '#switch/plan';

const dir = '/run/nixos';
const steps = ['start', 'restart', 'reload'] as const;
export type Step = (typeof steps)[number];

/** What an earlier switch left over. */
export function readUnfinished(): Unfinished {
  return { start: read('start-list'), restart: read('restart-list'), reload: read('reload-list') };
}

/** Written before anything is stopped, so that a switch that is cut off here does not leave units stopped for good. */
export function writeUnfinished(plan: SwitchPlan): void {
  for (const step of steps)
    write(
      `${step}-list`,
      plan[step].filter((unit) => !unit.endsWith('.target')),
    );
}

export function finish(step: Step): void {
  rmSync(join(dir, `${step}-list`), { force: true });
}

/** Units that an activation script wrote into activation-restart-list or activation-reload-list; the list is emptied. */
export function takeActivationList(step: 'restart' | 'reload', dry: boolean): string[] {
  const name = `${dry ? 'dry-' : ''}activation-${step}-list`;
  const units = read(name);
  rmSync(join(dir, name), { force: true });
  return units;
}

function read(name: string): string[] {
  try {
    return readFileSync(join(dir, name), 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}

function write(name: string, units: readonly string[]): void {
  mkdirSync(dir, { recursive: true });
  if (units.length === 0) rmSync(join(dir, name), { force: true });
  else writeFileSync(join(dir, name), `${units.join('\n')}\n`);
}
