import { execFileSync } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readFile, readlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';

const script = join(dirname(dirname(fileURLToPath(import.meta.url))), 'nixos/activation/setup-etc.sh');
const owner = `+${process.getuid?.() ?? 0}`;
const group = `+${process.getgid?.() ?? 0}`;

let root = '';
let generation = 0;

/** A machine of its own, and systems whose /etc has the given files; a file with a mode is a copy. */
async function activate(files: Readonly<Record<string, { text: string; mode?: string }>>): Promise<void> {
  generation += 1;
  const etc = join(root, `etc-${generation}`);
  const entries: string[] = [];
  for (const [target, { text, mode }] of Object.entries(files)) {
    await mkdir(dirname(join(etc, 'etc', target)), { recursive: true });
    await writeFile(join(etc, 'etc', target), text);
    entries.push([target, mode ?? 'symlink', owner, group].join('\t'));
  }
  await mkdir(join(etc, 'etc'), { recursive: true });
  await writeFile(join(etc, 'entries'), entries.map((line) => `${line}\n`).join(''));
  execFileSync('bash', [script, etc], { env: { ...process.env, SETUP_ETC_ROOT: root }, stdio: 'pipe' });
}

const inEtc = (target: string): string => join(root, 'etc', target);

describe('setup-etc', () => {
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'setup-etc-'));
    await mkdir(inEtc('.'));
  });

  it('links through /etc/static', async () => {
    await activate({ 'a/b': { text: '1' } });
    expect(await readlink(inEtc('a/b'))).toBe('/etc/static/a/b');
    expect(await readlink(inEtc('static'))).toBe(join(root, 'etc-1'.replace('1', String(generation)), 'etc'));
  });

  it('copies what has a mode, and copies it again when it changes', async () => {
    await activate({ secret: { text: '1', mode: '0600' } });
    await activate({ secret: { text: '2', mode: '0640' } });
    expect(await readFile(inEtc('secret'), 'utf8')).toBe('2');
    expect((await lstat(inEtc('secret'))).mode & 0o777).toBe(0o640);
  });

  it('removes what the new system has no more, with its empty folder', async () => {
    await activate({ 'a/b': { text: '1' }, keep: { text: '1' }, copy: { text: '1', mode: '0644' } });
    await activate({ keep: { text: '1' } });
    await expect(lstat(inEtc('a'))).rejects.toThrow('ENOENT');
    await expect(lstat(inEtc('copy'))).rejects.toThrow('ENOENT');
    expect(await readlink(inEtc('keep'))).toBe('/etc/static/keep');
  });

  it("sets Debian's file aside and brings it back, also after a second switch", async () => {
    await writeFile(inEtc('issue'), 'Debian');
    await activate({ issue: { text: 'ours' } });
    await activate({ issue: { text: 'ours again', mode: '0644' } });
    await activate({});
    expect(await readFile(inEtc('issue'), 'utf8')).toBe('Debian');
  });

  it('leaves what is not its own alone', async () => {
    await mkdir(inEtc('systemd/system'), { recursive: true });
    await writeFile(inEtc('systemd/system/ssh.service'), 'Debian');
    await activate({ 'systemd/system/a.service': { text: '1' } });
    await activate({});
    expect(await readFile(inEtc('systemd/system/ssh.service'), 'utf8')).toBe('Debian');
  });
});
