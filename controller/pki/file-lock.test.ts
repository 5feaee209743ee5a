import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { withFileLock } from './file-lock.js';

let folder: string;
let lock: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'));
  lock = join(folder, 'lockfile');
  return () => rm(folder, { recursive: true, force: true });
});

describe('withFileLock', () => {
  it('lets one in at a time, and leaves nothing behind', async () => {
    let inside = 0;
    let most = 0;
    const work = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
    };
    await Promise.all([1, 2, 3, 4, 5].map(() => withFileLock(lock, work)));
    expect(most).toBe(1);
    expect(await readdir(folder)).toEqual([]);
  });

  it('is given back when the work fails', async () => {
    await expect(withFileLock(lock, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(await readdir(folder)).toEqual([]);
  });

  it('waits no longer than allowed for a living holder, however old the lock is', async () => {
    await writeFile(lock, `${hostname()} ${process.pid} x\n`);
    await utimes(lock, 0, 0);
    const attempt = withFileLock(lock, async () => 'in', { waitMs: 60 });
    await expect(attempt).rejects.toMatchObject({ code: 'pki.busy' });
  });

  it('takes over from a dead process of this host at once', async () => {
    await writeFile(lock, `${hostname()} 4194305 x\n`);
    expect(await withFileLock(lock, async () => 'in', { waitMs: 1000 })).toBe('in');
  });

  it('takes over from another host only after a while', async () => {
    await writeFile(lock, 'elsewhere 1 x\n');
    await expect(withFileLock(lock, async () => 'in', { waitMs: 60 })).rejects.toThrow();
    await utimes(lock, 0, 0);
    expect(await withFileLock(lock, async () => 'in', { waitMs: 1000 })).toBe('in');
  });
});
