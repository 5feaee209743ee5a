/** What activating a system would change on a node, read from what the tools say. Pure. */
import type { AppDeclaration } from '../apps/declaration.js';

export interface FileChange {
  path: string;
  change: 'added' | 'changed' | 'removed';
}

export interface AppChange {
  /** `group/name` */
  id: string;
  action: 'start' | 'restart' | 'stop';
  fromVersion: string;
  toVersion: string;
  /** As declared; -1 where the app declares none. */
  minHealthy: number;
}

export interface UnitChanges {
  stop: string[];
  start: string[];
  restart: string[];
  reload: string[];
}

export interface Changes extends UnitChanges {
  files: FileChange[];
  packages: string[];
  apps: AppChange[];
  needsReboot: boolean;
}

/** Compares `path -> sha256` of what is there with what shall be. */
export function fileChanges(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): FileChange[] {
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  return paths.flatMap((path): FileChange[] => {
    const [old, now] = [before.get(path), after.get(path)];
    if (old === now) return [];
    return [{ path, change: old === undefined ? 'added' : now === undefined ? 'removed' : 'changed' }];
  });
}

/**
 * Reads what `switch-to-configuration dry-activate` says. A unit that stops with its old and starts with its new definition is restarted
 * to everybody but systemd. `wanted` are new units that the new system's targets pull in, which a dry activation does not name.
 */
export function parseDryActivation(lines: readonly string[], wanted: readonly string[] = []): UnitChanges {
  const said = (verb: string) => {
    const found = new Set<string>();
    for (const line of lines) {
      const match = new RegExp(`^would ${verb} the following units: (.*)$`).exec(line.trim());
      for (const unit of match?.[1]?.split(', ') ?? []) if (unit) found.add(unit.trim());
    }
    return found;
  };
  const [stop, start] = [said('stop'), said('start')];
  for (const unit of wanted) start.add(unit);
  const both = [...stop].filter((unit) => start.has(unit));
  const restart = new Set([...said('restart'), ...both]);
  const without = (from: Set<string>) => [...from].filter((unit) => !restart.has(unit)).sort();
  return {
    stop: without(stop),
    start: without(start),
    restart: [...restart].sort(),
    reload: without(said('reload')),
  };
}

type Declared = Pick<AppDeclaration, 'id' | 'version' | 'minHealthy'> & {
  copies: readonly { unit: string }[];
  text: string;
};

/** What happens to the instances of this node. `text` is the whole declaration: another one is another instance. */
export function appChanges(
  before: readonly Declared[],
  after: readonly Declared[],
  units: UnitChanges,
): AppChange[] {
  const ids = [...new Set([...before, ...after].map((app) => app.id))].sort();
  return ids.flatMap((id): AppChange[] => {
    const old = before.find((app) => app.id === id);
    const now = after.find((app) => app.id === id);
    const action = actionOf(old, now, units);
    if (!action) return [];
    return [
      {
        id,
        action,
        fromVersion: old?.version ?? '',
        toVersion: now?.version ?? '',
        minHealthy: now?.minHealthy ?? old?.minHealthy ?? -1,
      },
    ];
  });
}

function actionOf(
  old: Declared | undefined,
  now: Declared | undefined,
  units: UnitChanges,
): AppChange['action'] | undefined {
  if (!now) return 'stop';
  if (!old) return 'start';
  const touched = [...old.copies, ...now.copies].map((copy) => copy.unit);
  const has = (list: readonly string[]) => touched.some((unit) => list.includes(unit));
  if (old.text !== now.text || has(units.restart)) return 'restart';
  if (has(units.stop)) return 'stop';
  return has(units.start) ? 'start' : undefined;
}

const escapeCode = String.fromCharCode(27);

/** Lines of `nix store diff-closures`, without colours. */
export function parseDiffClosures(text: string): string[] {
  const plain = text.replaceAll(new RegExp(`${escapeCode}\\[[0-9;]*m`, 'g'), '');
  return plain
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
