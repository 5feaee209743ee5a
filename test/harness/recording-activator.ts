/**
 * An activator that records instead of switching. Its whole state is files in one folder, so that a test can steer and read it from
 * another process: a "system" is a folder with a copy of the configuration.
 */
import {
  access,
  appendFile,
  cp,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Activator, UnitWatcher } from '../../agent/apply/activator.js';
import { sha256 } from '../../shared/bundle/manifest.js';

function present(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/**
 * Files of the folder: `calls` (one line per call), `failed/<unit>`, `active/<unit>`, `systems/<name>/`, `current` (link); while
 * `hold-build` or `hold-switch` exists, that step does not end.
 */
export function recordingActivator(dir: string): Activator {
  const current = join(dir, 'current');
  const target = join(dir, 'switching');
  const released = async (name: string) => {
    while (await present(join(dir, name))) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const record = (line: string) => appendFile(join(dir, 'calls'), `${line}\n`);
  return {
    build: async (node, configDir) => {
      await record(`build ${node}`);
      await released('hold-build');
      const flake = await readFile(join(configDir, 'flake.nix'), 'utf8');
      if (flake.includes('syntax error'))
        return { ok: false, log: ['error: syntax error, unexpected end of file', 'at flake.nix:1:1'] };
      const system = join(dir, 'systems', sha256(flake).slice(0, 12));
      await mkdir(system, { recursive: true });
      await cp(configDir, system, { recursive: true });
      return { ok: true, system };
    },
    forgetSwitch: () => rm(target, { force: true }),
    startSwitch: async (system) => {
      await record(`switch ${basename(system)}`);
      await writeFile(target, system);
    },
    awaitSwitch: async () => {
      await released('hold-switch');
      await rm(current, { force: true });
      await symlink(await readFile(target, 'utf8'), current);
      return { exit: 0, log: [] };
    },
    currentSystem: () => readlink(current).catch(() => ''),
    unitIdentity: (system, unit) => readFile(join(system, 'units', unit), 'utf8').catch(() => undefined),
    failedUnits: () => readdir(join(dir, 'failed')).catch(() => []),
    explainUnit: async (unit) => [`${unit}: recorded as failed`],
  };
}

/** A unit is active while the file `active/<unit>` exists. */
export function recordingUnits(dir: string): UnitWatcher {
  return {
    activeStates: async (units) => {
      const states = new Map<string, string>();
      for (const unit of units) {
        const active = await present(join(dir, 'active', unit));
        states.set(unit, active ? 'active' : 'inactive');
      }
      return states;
    },
  };
}
