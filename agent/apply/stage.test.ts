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
import { afterEach, beforeEach, expect, it } from 'vitest';
import { toDrain } from './drain.js';
import { clear, stage, unstage } from './stage.js';

let dir: string;
let config: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'stage-'));
  config = join(dir, 'nixos');
  mkdirSync(config);
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
const text = (path: string) => readFileSync(join(config, path), 'utf8');

it('replaces everything but the files of the machine', async () => {
  await stage(config, files, read);
  expect([text('flake.nix'), text('bin/run'), text('hardware-configuration.nix')]).toEqual([
    'new',
    'script',
    'disks',
  ]);
  expect(existsSync(join(config, 'stale.nix'))).toBe(false);
  expect(statSync(join(config, 'bin/run')).mode & 0o777).toBe(0o755);
});

it('can be undone after it ended, between its renames, and before they began', async () => {
  await stage(config, files, read);
  await unstage(config);
  expect([text('flake.nix'), text('stale.nix')]).toEqual(['old', 'old']);

  renameSync(config, `${config}.previous`);
  await unstage(config);
  expect(text('flake.nix')).toBe('old');

  mkdirSync(`${config}.next`);
  await unstage(config);
  expect(text('flake.nix')).toBe('old');
  expect(existsSync(`${config}.next`)).toBe(false);
});

it('clear removes what an earlier job left, and nothing else', async () => {
  await stage(config, files, read);
  await clear(config);
  expect(existsSync(`${config}.previous`)).toBe(false);
  expect(text('flake.nix')).toBe('new');
});

it('drains the apps whose unit changes, comes or goes', () => {
  const candidate = (id: string, before?: string, after?: string) => ({
    id,
    unit: `${id}.service`,
    before,
    after,
  });
  const all = [
    candidate('same', 'x', 'x'),
    candidate('changed', 'x', 'y'),
    candidate('gone', 'x'),
    candidate('none'),
  ];
  expect(toDrain(all)).toEqual(['changed', 'gone']);
});
