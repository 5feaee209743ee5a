import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseDotenv, withVariables } from './dotenv.js';
import { findEnvFile, loadEnv } from './env-file.js';

describe('.env', () => {
  let cwd: string;
  let workdir: string;
  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'env-file-'));
    workdir = join(cwd, 'project');
    mkdirSync(workdir);
  });
  afterEach(() => rmSync(cwd, { recursive: true }));

  it('takes an absolute path as it is', () => {
    writeFileSync(join(cwd, 'x.env'), '');
    expect(findEnvFile(workdir, join(cwd, 'x.env'), '/')).toBe(join(cwd, 'x.env'));
  });

  it('prefers the project folder over the current one', () => {
    writeFileSync(join(cwd, 'a.env'), '');
    expect(findEnvFile(workdir, './a.env', cwd)).toBe(join(cwd, 'a.env'));
    writeFileSync(join(workdir, 'a.env'), '');
    expect(findEnvFile(workdir, './a.env', cwd)).toBe(join(workdir, 'a.env'));
  });

  it('does not take the .env of the current folder by itself', () => {
    writeFileSync(join(cwd, '.env'), 'A=1');
    expect(findEnvFile(workdir, undefined, cwd)).toBeUndefined();
  });

  it('puts the file above the process, an empty value too', () => {
    writeFileSync(join(workdir, '.env'), 'HCLOUD_TOKEN=\nA=file\n');
    const { env } = loadEnv(workdir, undefined, { HCLOUD_TOKEN: 'process', A: 'process', B: 'process' }, cwd);
    expect(env).toEqual({ HCLOUD_TOKEN: '', A: 'file', B: 'process' });
  });

  it('warns of a file that was named and is not there', () => {
    expect(loadEnv(workdir, 'gone.env', {}, cwd).warning).toContain('gone.env');
    expect(loadEnv(workdir, undefined, {}, cwd).warning).toBeUndefined();
  });

  it('reads the syntax of the predecessor', () => {
    const text = `export A=one\nA=two\n# note\nB="x # y"\nC='$A'\nD=\${A}-$OUT-$NONE # tail\nE = spaced\n`;
    expect(parseDotenv(text, { OUT: 'o' })).toEqual({
      A: 'one',
      B: 'x # y',
      C: '$A',
      D: 'one-o-',
      E: 'spaced',
    });
  });

  it('adds variables without touching what is set', () => {
    expect(withVariables('A=1', { A: '2', B: '3' })).toBe('A=1\nB=3\n');
  });
});
