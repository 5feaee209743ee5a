import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../test/harness/until.js';
import { revisionMarker } from './swap.js';
import { WatchdogFiles } from './watchdog.js';

let dir: string;
let config: string;
let files: WatchdogFiles;
let child: ChildProcess | undefined;

/** A system that says that it was activated, and then runs. */
function systemThat(name: string, exit = 0): string {
  const system = join(dir, name);
  mkdirSync(join(system, 'bin'), { recursive: true });
  const program = join(system, 'bin/switch-to-configuration');
  writeFileSync(
    program,
    `#!/bin/sh\necho "$0 $1" >>"${dir}/calls"\n[ ${exit} = 1 ] && exit 1\nln -sfn "${system}" "${dir}/current"\nexit ${exit}\n`,
  );
  chmodSync(program, 0o755);
  return system;
}

function folder(path: string, text: string, revision?: string): void {
  mkdirSync(path);
  writeFileSync(join(path, 'flake.nix'), text);
  if (revision) writeFileSync(join(path, revisionMarker), revision);
}

beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'watchdog-')));
  config = join(dir, 'nixos');
  files = new WatchdogFiles(join(dir, 'watchdog'));
  folder(config, 'new', 'r1');
  folder(`${config}.staged`, 'old');
  mkdirSync(join(dir, 'fake'));
  writeFileSync(join(dir, 'fake/systemctl'), `#!/bin/sh\necho "systemctl $*" >>"${dir}/calls"\n`);
  chmodSync(join(dir, 'fake/systemctl'), 0o755);
  symlinkSync(systemThat('new'), join(dir, 'current'));
});
afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

async function arm(confirmMs: number, previousSystem = systemThat('old')): Promise<void> {
  const watch = { nonce: 'n1', configDir: config, revision: 'r1', previousSystem, confirmMs };
  await files.prepare('n1');
  const [program = '', ...args] = files.command(watch);
  const env = { PATH: `${dir}/fake:${process.env.PATH}`, NIX_INFRA_CURRENT: join(dir, 'current') };
  child = spawn(program, args, { stdio: 'ignore', env });
}
/** As `arm`, with a script that was started while its folder was good, which it is not any more. */
async function armWithoutFolder(confirmMs: number): Promise<void> {
  const watch = {
    nonce: 'n1',
    configDir: config,
    revision: 'r1',
    previousSystem: systemThat('old'),
    confirmMs,
  };
  await files.prepare('n1');
  const [program = '', script = '', folder = '', ...args] = files.command(watch);
  copyFileSync(script, join(dir, 'script'));
  rmSync(folder, { recursive: true });
  // Not even root can write below a file.
  writeFileSync(folder, '');
  const env = { PATH: `${dir}/fake:${process.env.PATH}`, NIX_INFRA_CURRENT: join(dir, 'current') };
  child = spawn(program, [join(dir, 'script'), folder, ...args], { stdio: 'ignore', env });
}
const exited = () => (child?.exitCode === null ? once(child, 'exit') : Promise.resolve());
const flake = () => readFileSync(join(config, 'flake.nix'), 'utf8');
const restored = () => until('the way back', 8_000, () => files.restored('n1'));

describe('the watchdog', () => {
  it('brings back the old system and its files when nobody confirms in time', async () => {
    await arm(1_000);
    expect(await restored()).toMatchObject({ exit: 0 });
    expect(await files.verdict('n1')).toBe('restore');
    expect(flake()).toBe('old');
    expect(realpathSync(join(dir, 'current'))).toBe(join(dir, 'old'));
    await exited();
    expect(readFileSync(join(dir, 'calls'), 'utf8').trim().split('\n')).toEqual([
      'systemctl stop nix-infra-switch.service',
      `${dir}/old/bin/switch-to-configuration test`,
      'systemctl start --no-block nix-infra-agent.service',
    ]);
    // The agent comes too late: the verdict stands.
    expect(await files.claim('n1', 'confirmed')).toBe('restore');
  });

  it('does nothing once it is confirmed', async () => {
    await arm(60_000);
    expect(await files.claim('n1', 'confirmed')).toBe('confirmed');
    await exited();
    expect(flake()).toBe('new');
    expect(existsSync(join(dir, 'calls'))).toBe(false);
    expect(await files.claim('n1', 'restore')).toBe('confirmed');
  });

  it('goes back at once when the agent says so', async () => {
    await arm(600_000);
    expect(await files.claim('n1', 'restore')).toBe('restore');
    expect(await restored()).toMatchObject({ exit: 0 });
    expect(flake()).toBe('old');
  });

  it('goes back also when not a single file of its own can be written', async () => {
    await armWithoutFolder(0);
    await exited();
    expect(child?.exitCode).toBe(0);
    expect(flake()).toBe('old');
    expect(realpathSync(join(dir, 'current'))).toBe(join(dir, 'old'));
  });

  it('goes back also when only the log of the way back cannot be written', async () => {
    await files.prepare('n1');
    mkdirSync(join(dir, 'watchdog/restore.log'));
    await arm(0);
    expect(await restored()).toMatchObject({ exit: 0 });
    expect(realpathSync(join(dir, 'current'))).toBe(join(dir, 'old'));
  });

  it('leaves files alone that are back already, and takes failed units of the old system as they are', async () => {
    rmSync(`${config}.staged`, { recursive: true });
    rmSync(join(config, revisionMarker));
    writeFileSync(join(config, 'flake.nix'), 'old');
    await arm(0, systemThat('old', 4));
    expect(await restored()).toMatchObject({ exit: 4 });
    expect(flake()).toBe('old');
  });

  it('forgets verdicts of former activations, not of its own', async () => {
    await files.prepare('n1');
    await files.claim('n1', 'restore');
    await files.prepare('n1');
    expect(await files.verdict('n1')).toBe('restore');
    await files.prepare('n2');
    expect(await files.verdict('n1')).toBeUndefined();
  });
});
