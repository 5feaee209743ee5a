import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  bringBeside,
  hashFolder,
  keepPrevious,
  machineDigest,
  stageAside,
  swapBack,
  swapIn,
} from './stage.js';

let dir: string;
let config: string;
let staged: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'stage-'));
  config = join(dir, 'nixos');
  staged = join(dir, 'staged', 'r1');
  mkdirSync(config);
  mkdirSync(join(dir, 'staged'));
  writeFileSync(join(config, 'flake.nix'), 'old');
  writeFileSync(join(config, 'stale.nix'), 'old');
  writeFileSync(join(config, 'hardware-configuration.nix'), 'disks');
});
afterEach(() => rmSync(dir, { recursive: true }));

const files = [
  { path: 'flake.nix', mode: 0o644, sha256: 'new', size: 3 },
  { path: 'bin/run', mode: 0o755, sha256: 'script', size: 6 },
];
const read = async (hash: string) => Buffer.from(hash);
const text = (path: string, at = config) => readFileSync(join(at, path), 'utf8');
const stage = () => stageAside(staged, { revision: 'r1', files }, config, read);
const prepare = async () => {
  await stage();
  await bringBeside(staged, config, 'r1');
};

describe('a revision that is staged', () => {
  it('has the files of the bundle and those of the machine, and leaves /etc/nixos alone', async () => {
    await stage();
    expect(['flake.nix', 'bin/run', 'hardware-configuration.nix'].map((path) => text(path, staged))).toEqual([
      'new',
      'script',
      'disks',
    ]);
    expect(statSync(join(staged, 'bin/run')).mode & 0o777).toBe(0o755);
    expect(text('flake.nix')).toBe('old');
  });

  it('is another one when a file of the machine changes', async () => {
    const before = await machineDigest(config, files);
    expect(await machineDigest(config, files)).toBe(before);
    writeFileSync(join(config, 'networking.nix'), 'address');
    expect(await machineDigest(config, files)).not.toBe(before);
  });

  it('comes in and goes back, however often it is asked to', async () => {
    await prepare();
    await swapIn(config, 'r1');
    await swapIn(config, 'r1');
    expect(text('flake.nix')).toBe('new');
    expect(existsSync(join(config, 'stale.nix'))).toBe(false);
    await swapBack(config, 'r1');
    await swapBack(config, 'r1');
    expect([text('flake.nix'), text('stale.nix')]).toEqual(['old', 'old']);
    expect(existsSync(`${config}.staged`)).toBe(false);
  });

  it('leaves the former files under a name for people', async () => {
    await prepare();
    await swapIn(config, 'r1');
    await keepPrevious(config);
    await keepPrevious(config);
    expect(text('flake.nix', `${config}.previous`)).toBe('old');
  });

  it('may be ordered again after somebody changed its files', async () => {
    await prepare();
    await swapIn(config, 'r1');
    await keepPrevious(config);
    writeFileSync(join(config, 'flake.nix'), 'by hand');
    await bringBeside(staged, config, 'r1');
    await swapIn(config, 'r1');
    expect(text('flake.nix')).toBe('new');
    await swapBack(config, 'r1');
    expect(text('flake.nix')).toBe('by hand');
  });
});

// Where `mv` cannot exchange it takes three renames; the machine may lose power after each.
describe.each(['forward', 'back'] as const)('an exchange %s that is cut off', (way) => {
  const [there, comes] = way === 'forward' ? ['old', 'new'] : ['new', 'old'];
  beforeEach(async () => {
    await prepare();
    if (way === 'back') await swapIn(config, 'r1');
  });
  const steps: [string, string][] = [
    ['nixos', 'nixos.moving'],
    ['nixos.staged', 'nixos'],
    ['nixos.moving', 'nixos.staged'],
  ];
  it.each([0, 1, 2, 3])('after %i renames is ended, and can be undone', async (count) => {
    expect(text('flake.nix')).toBe(there);
    for (const [from, to] of steps.slice(0, count)) renameSync(join(dir, from), join(dir, to));
    const again = way === 'forward' ? swapIn : swapBack;
    await again(config, 'r1');
    expect(text('flake.nix')).toBe(comes);
    expect(existsSync(`${config}.moving`)).toBe(false);
  });
  it.each([0, 1, 2, 3])('after %i renames can go the other way', async (count) => {
    for (const [from, to] of steps.slice(0, count)) renameSync(join(dir, from), join(dir, to));
    const other = way === 'forward' ? swapBack : swapIn;
    await other(config, 'r1');
    expect(text('flake.nix')).toBe(there);
    expect(existsSync(`${config}.moving`)).toBe(false);
  });
});

it('hashes what a folder holds, without the marker', async () => {
  await stage();
  expect([...(await hashFolder(staged)).keys()].sort()).toEqual([
    'bin/run',
    'flake.nix',
    'hardware-configuration.nix',
  ]);
});
