/** The units of a built system, read from its store path. */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { UnitSource } from '#switch/plan';
import { parseUnit, type UnitFile } from '#switch/unit-file';

/** Units of the system at `path`; of a system that is not there (the first switch), none. */
export function toplevelUnits(path: string): UnitSource {
  const dir = join(path, 'etc/systemd/system');
  const names = existsSync(dir) ? readdirSync(dir) : [];
  return {
    read: (name) => readUnit(dir, name),
    targets: () => [
      ...new Set(
        names.flatMap((name) => /^(.*\.target)(\.(wants|requires|upholds|d))?$/.exec(name)?.[1] ?? []),
      ),
    ],
  };
}

function readUnit(dir: string, name: string): UnitFile | null {
  // foo@bar.service comes from foo@.service unless it has a file of its own.
  const template = name.replace(/@[^.]*(\.[a-z]+)$/, '@$1');
  for (const file of new Set([name, template])) {
    const path = join(dir, file);
    const dropIns = readDropIns(join(dir, `${file}.d`));
    if (existsSync(path))
      return realpathSync(path) === '/dev/null' ? null : parseUnit(readFileSync(path, 'utf8'), ...dropIns);
    if (dropIns.length > 0) return parseUnit(...dropIns);
  }
  return null;
}

function readDropIns(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((name) => name.endsWith('.conf'))
    .toSorted()
    .map((name) => readFileSync(join(dir, name), 'utf8'));
}
