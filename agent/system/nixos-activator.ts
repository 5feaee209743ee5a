/** The real system: builds with nixos-rebuild, switches in a transient unit. */
import { lstat, readFile, readlink, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Activator } from '../apply/activator.js';
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import { explainUnit, failedUnits } from './systemd.js';
import { TransientUnit } from './transient-unit.js';

const currentLink = '/run/current-system';
const profile = '/nix/var/nix/profiles/system';

// As nixos-rebuild does: the profile first, so that a power cut during the switch boots into the new system.
const switchScript = `nix-env --profile ${profile} --set "$1" && exec "$1/bin/switch-to-configuration" switch`;

/** Content of a unit in a system: where its links end, since store paths name their content. A drop-in counts. */
async function identity(system: string, unit: string): Promise<string | undefined> {
  const file = join(system, 'etc/systemd/system', unit);
  const parts = [file, join(`${file}.d`, 'overrides.conf')].map((path) =>
    realpath(path).catch(() => undefined),
  );
  const [main, dropIn] = await Promise.all(parts);
  if (main === undefined && dropIn === undefined) return undefined;
  // A unit that is a plain file inside the system's own path changes its path with every system: compare what it says.
  const words = main?.startsWith(await realpath(system)) ? await readFile(main, 'utf8') : main;
  return `${words ?? ''} ${dropIn ?? ''}`;
}

export function nixosActivator(stateDir: string, clock: Clock): Activator {
  const building = new TransientUnit('nix-infra-build', join(stateDir, 'build'), clock);
  const switching = new TransientUnit('nix-infra-switch', join(stateDir, 'switch'), clock);
  const link = join(stateDir, 'build', 'result');
  return {
    build: async (node, configDir) => {
      await rm(link, { force: true });
      await building.start(['nixos-rebuild', 'build', '--flake', `${configDir}#${node}`]);
      const ended = await building.ended(defaults.buildMs);
      if (!ended) return { ok: false, log: ['the build was cut off'] };
      const made = ended.exit === 0 && (await lstat(link).catch(() => undefined));
      return made ? { ok: true, system: await readlink(link) } : { ok: false, log: ended.log };
    },
    forgetSwitch: () => switching.forget(),
    startSwitch: (system) => switching.start(['/bin/sh', '-c', switchScript, 'sh', system]),
    awaitSwitch: () => switching.ended(defaults.switchMs),
    currentSystem: () => realpath(currentLink).catch(() => ''),
    unitIdentity: identity,
    failedUnits,
    explainUnit,
  };
}
