import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { shellQuoted, writeCommand } from './ssh-session.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'write-'));
  return () => rm(folder, { recursive: true, force: true });
});

const sh = (command: string, input = '') => spawnSync('sh', ['-c', command], { input, encoding: 'utf8' });

describe('shellQuoted', () => {
  it.each(["it's", '$(reboot)', 'a b', '', '`x`\n"'])('makes one word of %j', (text) => {
    expect(sh(`printf %s ${shellQuoted(text)}`).stdout).toBe(text);
  });
});

describe('writeCommand', () => {
  it('writes with the mode, into folders that it makes, and leaves no draft', async () => {
    const path = join(folder, "it's a", 'b $(x)');
    expect(sh(writeCommand(path, 4, 0o640, 'u'), 'text').status).toBe(0);
    expect(await readFile(path, 'utf8')).toBe('text');
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    expect(await readdir(join(folder, "it's a"))).toEqual(['b $(x)']);
  });

  it('keeps the old file when the input ends too early', async () => {
    const path = join(folder, 'file');
    sh(writeCommand(path, 3, 0o644, 'u'), 'old');
    expect(sh(writeCommand(path, 9, 0o644, 'u'), 'new').status).not.toBe(0);
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['file']);
  });

  it('takes absolute paths alone', () => {
    expect(() => writeCommand('etc/passwd', 1, 0o644, 'u')).toThrow('absolute');
  });
});
