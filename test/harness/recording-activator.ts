/**
 * An activator without NixOS. A "system" is a folder with a copy of the configuration and a program that activates it by setting a link;
 * activation and watchdog are real processes that outlive the agent, and the watchdog is the product's own script. The whole state is
 * files in one folder, so that a test can steer and read it from another process.
 *
 * `calls`: one line per call · `boot`: the boot id · `current`, `profile`: links · `systems/<name>/` · `units/<name>`: ActiveState of a
 * unit that is not active · `loader`: what boots, absent while it is half written · `dry-activation`: what a dry activation says · `ssh-broken` · `new-kernel` · while `hold-build`,
 * `hold-start` (of the activation), `hold-activate` or `hold-commit` exists, that step does not end · `activate-fails`: the next activation
 * ends with this exit code · `commit-fails`: so many commits fail at the boot loader · `no-watchdog`: it dies at once.
 */
import { spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import {
  access,
  appendFile,
  chmod,
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
import type { UnitState } from '../../agent/apply/proof.js';
import { connectionsTo } from '../../agent/system/connections.js';
import { WatchdogFiles } from '../../agent/system/watchdog.js';
import { sha256 } from '../../shared/bundle/manifest.js';

function present(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

const text = (path: string) => readFile(path, 'utf8').catch(() => '');
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

function runs(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    // One that has ended may stay in the table where nobody asks for its end: its parent, the agent, was killed.
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

const activationProgram = (dir: string, system: string) => `#!/bin/sh
echo "activate ${basename(system)} $1" >>"${dir}/calls"
[ "$1" = test ] || exit 0
while [ -e "${dir}/hold-activate" ]; do sleep 0.05; done
if [ -e "${dir}/activate-fails" ]; then code=$(cat "${dir}/activate-fails"); rm "${dir}/activate-fails"; exit "$code"; fi
ln -sfn "${system}" "${dir}/current"
`;

const fakeSystemctl = (dir: string) => `#!/bin/sh
# Without a number it would be our own group.
if [ "$1" = stop ] && [ -s "${dir}/activation.pid" ]; then kill -s TERM -- "-$(cat "${dir}/activation.pid")" 2>/dev/null; fi
exit 0
`;

/** Lines `unit NAME` of a system's flake.nix are the units that it wants. */
async function unitsOf(system: string): Promise<string[]> {
  const flake = system === '' ? '' : await text(join(system, 'flake.nix'));
  return [...flake.matchAll(/^unit (\S+)$/gm)].map((match) => match[1] as string);
}

export function recordingActivator(dir: string): Activator {
  const at = (name: string) => join(dir, name);
  const watchdog = new WatchdogFiles(at('watchdog'));
  const record = (line: string) => appendFile(at('calls'), `${line}\n`);
  const held = async (name: string, signal?: AbortSignal) => {
    while (!signal?.aborted && (await present(at(name)))) await pause();
  };
  const pidOf = async (name: string) => Number.parseInt(await text(at(`${name}.pid`)), 10);

  /** A process of its own group, that goes on when this one ends. */
  async function detach(name: string, command: readonly string[]): Promise<void> {
    await mkdir(at('bin'), { recursive: true });
    await writeFile(at('bin/systemctl'), fakeSystemctl(dir));
    await chmod(at('bin/systemctl'), 0o755);
    const out = openSync(at(`${name}.out`), 'a');
    const env = { PATH: `${at('bin')}:${process.env.PATH}`, NIX_INFRA_CURRENT: at('current') };
    const pidFile = at(`${name}.pid`);
    await rm(pidFile, { force: true });
    // It writes its id itself, before it does anything: an agent that is killed right here must find what it began, as with systemd.
    const script = 'echo $$ >"$0.part"; mv "$0.part" "$0"; exec "$@"';
    const args = ['-c', script, pidFile, ...command];
    spawn('/bin/sh', args, { detached: true, stdio: ['ignore', out, out], env }).unref();
    while (!(await present(pidFile))) await pause();
  }

  return {
    bootId: () => text(at('boot')),
    currentSystem: () => readlink(at('current')).catch(() => ''),
    profileSystem: () => readlink(at('profile')).catch(() => ''),

    build: async (node, folder, signal) => {
      await record(`build ${node}`);
      await held('hold-build', signal);
      if (signal?.aborted) return { ok: false, log: ['the build was cut off'] };
      const flake = await readFile(join(folder, 'flake.nix'), 'utf8');
      if (flake.includes('syntax error'))
        return { ok: false, log: ['error: syntax error, unexpected end of file', 'at flake.nix:1:1'] };
      const system = at(`systems/${sha256(flake).slice(0, 12)}`);
      await mkdir(join(system, 'bin'), { recursive: true });
      await cp(folder, system, { recursive: true });
      const program = join(system, 'bin/switch-to-configuration');
      await writeFile(program, activationProgram(dir, system));
      await chmod(program, 0o755);
      return { ok: true, system };
    },
    keep: async () => {},
    isBuilt: (system) => present(join(system, 'bin/switch-to-configuration')),
    dryActivate: async () => (await text(at('dry-activation'))).split('\n'),
    diffClosures: async () => [],
    needsReboot: () => present(at('new-kernel')),
    unitsOf: async (system) => {
      const units = await unitsOf(system);
      return { defined: units, wanted: units };
    },
    appsDirOf: (system) => join(system, 'apps.d'),

    armWatchdog: async (watch) => {
      await record(`arm ${watch.confirmMs}`);
      await watchdog.prepare(watch.nonce);
      if (!(await present(at('no-watchdog')))) await detach('watchdog', watchdog.command(watch));
    },
    watchdogRuns: async () => runs(await pidOf('watchdog')),
    verdict: (nonce) => watchdog.verdict(nonce),
    claim: (nonce, wanted) => watchdog.claim(nonce, wanted),
    restored: (nonce) => watchdog.restored(nonce),

    forgetActivation: async () => {
      await rm(at('activation.exit'), { force: true });
      await rm(at('activation.pid'), { force: true });
    },
    activationBegan: () => present(at('activation.pid')),
    startActivation: async (system, nonce) => {
      await rm(at('activation.exit'), { force: true });
      await held('hold-start');
      const command = watchdog.guarded(nonce, [join(system, 'bin/switch-to-configuration'), 'test']);
      const script = 'out=$1; shift; "$@"; echo $? >"$out.part"; mv "$out.part" "$out"';
      await detach('activation', ['/bin/sh', '-c', script, 'sh', at('activation.exit'), ...command]);
    },
    stopActivation: async () => {
      const pid = await pidOf('activation');
      const ran = runs(pid);
      // Its whole group, which it leads.
      if (ran) process.kill(-pid, 'SIGTERM');
      while (runs(pid)) await pause();
      return ran;
    },
    activation: async () => {
      const running = runs(await pidOf('activation'));
      const exit = await text(at('activation.exit'));
      if (exit !== '') return { exit: Number.parseInt(exit, 10), log: [] };
      return running ? undefined : 'cut';
    },
    commit: async (system) => {
      await held('hold-commit');
      await record(`commit ${basename(system)}`);
      await rm(at('profile'), { force: true });
      await symlink(system, at('profile'));
      await rm(at('loader'), { force: true });
      const fails = Number(await text(at('commit-fails')));
      if (fails > 0) {
        await writeFile(at('commit-fails'), String(fails - 1));
        throw new Error('no room for the boot loader');
      }
      await symlink(system, at('loader'));
    },

    unitStates: async (units) => {
      const states = new Map<string, UnitState>();
      for (const unit of units) {
        const active = (await text(join(dir, 'units', unit))).trim() || 'active';
        const result = active === 'failed' ? 'exit-code' : 'success';
        const rest = { sub: '', type: 'simple', restarts: 0, condition: true, triggered: false };
        states.set(unit, { ...rest, active, result });
      }
      return states;
    },
    failedUnits: () => readdir(at('failed')).catch(() => []),
    explainUnit: async (unit) => [`${unit}: recorded as failed`],
    sshLogin: async () => ({ ok: !(await present(at('ssh-broken'))), detail: 'refused' }),
    connectionsTo,
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
