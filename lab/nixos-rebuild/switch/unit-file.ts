/** Unit files as systemd reads them: sections of settings, each of which may stand there more than once. */

/** Values by setting, by section. */
export type UnitFile = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

/** Reads a unit's text; with several texts (the unit and its drop-ins) later ones add to earlier ones. */
export function parseUnit(...texts: readonly string[]): UnitFile {
  const sections = new Map<string, Map<string, string[]>>();
  for (const text of texts) {
    let current: Map<string, string[]> | undefined;
    for (const line of logicalLines(text)) {
      const header = /^\[(.+)\]$/.exec(line)?.[1];
      if (header !== undefined) {
        current = sections.get(header) ?? new Map();
        sections.set(header, current);
        continue;
      }
      const equals = line.indexOf('=');
      if (equals < 1 || !current) continue;
      const name = line.slice(0, equals).trim();
      const value = line.slice(equals + 1).trim();
      const before = current.get(name) ?? [];
      // An empty value takes back what was said before, for the settings that are lists.
      current.set(name, value === '' && before.length > 0 ? [] : [...before, value]);
    }
  }
  return sections;
}

/** The last value of a setting that is a yes or no; `fallback` where it is not said. */
export function flag(unit: UnitFile, section: string, name: string, fallback: boolean): boolean {
  const value = unit.get(section)?.get(name)?.at(-1);
  return value === undefined ? fallback : ['1', 'yes', 'true', 'on'].includes(value.toLowerCase());
}

/** All values of a setting, in order. */
export function values(unit: UnitFile, section: string, name: string): readonly string[] {
  return unit.get(section)?.get(name) ?? [];
}

function logicalLines(text: string): string[] {
  return text
    .replace(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith(';'));
}
