/** What the difference between two versions of a unit asks for. */
import { type UnitFile, values } from '#switch/unit-file';

/** `equal`: nothing that a running unit would notice; `reload`: only what it takes up by reloading; `changed`: the rest. */
export type Difference = 'equal' | 'reload' | 'changed';

/** Settings of [Unit] that say nothing about the running processes. */
const unnoticed: ReadonlySet<string> = new Set([
  ...['Description', 'Documentation', 'OnFailure', 'OnSuccess', 'OnFailureJobMode', 'IgnoreOnIsolate'],
  ...[
    'StopWhenUnneeded',
    'RefuseManualStart',
    'RefuseManualStop',
    'AllowIsolate',
    'CollectMode',
    'SourcePath',
  ],
]);

/** Settings that a reload takes up, by section. */
const reloadable: Readonly<Record<string, ReadonlySet<string>>> = {
  Unit: new Set(['X-Reload-Triggers']),
  Service: new Set(['ExecReload']),
  Mount: new Set(['Options']),
};

export function compareUnits(before: UnitFile, after: UnitFile): Difference {
  let result: Difference = 'equal';
  for (const section of new Set([...before.keys(), ...after.keys()])) {
    // [Install] only matters to `systemctl enable`, which nobody calls here.
    if (section === 'Install') continue;
    for (const name of settingsOf(section, before, after)) {
      if (sameList(values(before, section, name), values(after, section, name))) continue;
      if (section === 'Unit' && unnoticed.has(name)) continue;
      if (!reloadable[section]?.has(name)) return 'changed';
      // Without a trigger there is nothing to reload for; without ExecReload no way to.
      const gone = values(after, section, name).length === 0;
      if (section === 'Service' && gone) return 'changed';
      if (!(section === 'Unit' && gone)) result = 'reload';
    }
  }
  return result;
}

function settingsOf(section: string, before: UnitFile, after: UnitFile): Set<string> {
  return new Set([...(before.get(section)?.keys() ?? []), ...(after.get(section)?.keys() ?? [])]);
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
