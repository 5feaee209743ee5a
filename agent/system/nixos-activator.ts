/** The real system: builds with nixos-rebuild, activates in a transient unit under a watchdog in another one. */
import { lstat, mkdir, readFile, readlink, realpath, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Activator } from '../apply/activator.js';
import { parseDiffClosures } from '../apply/changes.js';
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import { connectionsTo } from './connections.js';
import { lines, run } from './run.js';
import { type SshLoginOptions, sshLogin } from './ssh-login.js';
import { systemUnits } from './system-units.js';
import { explainUnit, failedUnits, unitStates } from './systemd.js';
import { commandPath, TransientUnit } from './transient-unit.js';
import { switchUnit, WatchdogFiles } from './watchdog.js';

export interface NixosParts {
  stateDir: string;
  clock: Clock;
  /** Undefined where the login is not to be proved. */
  ssh?: Omit<SshLoginOptions, 'dir' | 'timeoutS'> | undefined;
}

const currentLink = '/run/current-system';
const bootedLink = '/run/booted-system';
const profile = '/nix/var/nix/profiles/system';
const bootIdFile = '/proc/sys/kernel/random/boot_id';

// The boot loader's files come last: a power cut before them boots what booted before.
const commitScript = `nix-env --profile ${profile} --set "$1" && "$1/bin/switch-to-configuration" boot && sync`;

/** What a boot takes and a switch cannot change; absent in a container. */
const bootParts = ['kernel', 'initrd', 'kernel-modules', 'kernel-params'];

/** Where a link of a system ends, or what a file of it says; empty when there is none. */
async function partOf(system: string, name: string): Promise<string> {
  const path = join(system, name);
  const found = await lstat(path).catch(() => undefined);
  if (!found) return '';
  return found.isSymbolicLink() ? realpath(path).catch(() => '') : readFile(path, 'utf8').catch(() => '');
}

async function needsReboot(system: string): Promise<boolean> {
  // Without a record of the boot there is nothing to compare with; saying "reboot" for ever would help nobody.
  if (!(await stat(bootedLink).catch(() => undefined))) return false;
  const parts = bootParts.map(
    async (name) => (await partOf(system, name)) === (await partOf(bootedLink, name)),
  );
  return (await Promise.all(parts)).includes(false);
}

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: commandPath(), HOME: '/root' };
}

export function nixosActivator({ stateDir, clock, ssh }: NixosParts): Activator {
  const building = new TransientUnit('nix-infra-build', join(stateDir, 'build'), clock);
  const switching = new TransientUnit(switchUnit, join(stateDir, 'switch'), clock);
  const committing = new TransientUnit('nix-infra-commit', join(stateDir, 'commit'), clock);
  const watching = new TransientUnit('nix-infra-watchdog', join(stateDir, 'watchdog'), clock);
  const watchdog = new WatchdogFiles(join(stateDir, 'watchdog'));
  const link = join(stateDir, 'build', 'result');
  return {
    bootId: async () => (await readFile(bootIdFile, 'utf8').catch(() => '')).trim(),
    currentSystem: () => realpath(currentLink).catch(() => ''),
    profileSystem: () => realpath(profile).catch(() => ''),

    build: async (node, folder, signal) => {
      await rm(link, { force: true });
      await building.start(['nixos-rebuild', 'build', '--flake', `${folder}#${node}`]);
      const ended = await building.ended(defaults.buildMs, signal);
      if (!ended) return { ok: false, log: ['the build was cut off'] };
      const made = ended.exit === 0 && (await lstat(link).catch(() => undefined));
      return made ? { ok: true, system: await readlink(link) } : { ok: false, log: ended.log };
    },
    keep: async (name, system) => {
      const roots = join(stateDir, 'roots');
      await mkdir(roots, { recursive: true, mode: 0o700 });
      const args = ['--realise', system, '--add-root', join(roots, name)];
      const { code, stderr } = await run('nix-store', args, environment());
      if (code !== 0) throw new Error(`${system} cannot be kept: ${lines(stderr).at(-1) ?? ''}`);
    },
    isBuilt: async (system) =>
      stat(join(system, 'bin/switch-to-configuration')).then(
        () => true,
        () => false,
      ),
    dryActivate: async (system) => {
      const program = join(system, 'bin/switch-to-configuration');
      const done = await run(program, ['dry-activate'], environment(), defaults.compareMs);
      const words = [...lines(done.stdout), ...lines(done.stderr)];
      if (done.code !== 0) throw new Error(`the dry activation failed: ${words.at(-1) ?? ''}`);
      return words;
    },
    diffClosures: async (before, after) => {
      const args = ['--extra-experimental-features', 'nix-command', 'store', 'diff-closures', before, after];
      return parseDiffClosures((await run('nix', args, environment(), defaults.compareMs)).stdout);
    },
    needsReboot,
    unitsOf: systemUnits,
    appsDirOf: (system) => join(system, 'etc/nix-infra/apps.d'),

    armWatchdog: async (watch) => {
      await watchdog.prepare(watch.nonce);
      await watching.start(watchdog.command(watch), 'journal');
    },
    watchdogRuns: () => watching.runs(),
    verdict: (nonce) => watchdog.verdict(nonce),
    claim: (nonce, wanted) => watchdog.claim(nonce, wanted),
    restored: (nonce) => watchdog.restored(nonce),

    forgetActivation: () => switching.forget(),
    activationBegan: () => switching.began(),
    startActivation: (system, nonce) =>
      switching.start(watchdog.guarded(nonce, [join(system, 'bin/switch-to-configuration'), 'test'])),
    stopActivation: () => switching.stop(),
    activation: () => switching.end(),
    commit: async (system) => {
      await committing.start(['/bin/sh', '-c', commitScript, 'sh', system]);
      const ended = await committing.ended(defaults.commitMs);
      if (ended?.exit !== 0) throw new Error(ended?.log.at(-1) ?? 'making it the boot default was cut off');
    },

    unitStates,
    failedUnits,
    explainUnit,
    sshLogin: async () =>
      ssh && sshLogin({ ...ssh, dir: join(stateDir, 'ssh-proof'), timeoutS: defaults.sshTimeoutS }),
    connectionsTo,
  };
}
