/** A lock file: two operators' processes on one project folder must not write the same key at once. */
import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from '../../shared/errors.js';
import { pkiDefaults } from './defaults.js';

export interface FileLockOptions {
  /** How long to wait for the holder (ms). */
  waitMs?: number;
  /** Age (ms) from which a lock is stale whose owner cannot be asked. */
  staleMs?: number;
}

/** Runs `work` while holding the lock; throws `pki.busy` when another process holds it too long. */
export async function withFileLock<T>(
  path: string,
  work: () => Promise<T>,
  { waitMs = pkiDefaults.lockWaitMs, staleMs = pkiDefaults.lockStaleMs }: FileLockOptions = {},
): Promise<T> {
  const mark = `${hostname()} ${process.pid} ${randomBytes(8).toString('hex')}\n`;
  const end = performance.now() + waitMs;
  while (!(await taken(path, mark))) {
    await removeStale(path, staleMs);
    if (performance.now() > end) {
      throw new Problem('pki.busy', 'Another process holds the lock of the certificate authority', {
        where: path,
      });
    }
    await delay(pkiDefaults.lockPollMs);
  }
  try {
    return await work();
  } finally {
    // Only our own: a holder that was thought dead may find that another one has taken over.
    if ((await readFile(path, 'utf8').catch(() => '')) === mark) await rm(path, { force: true });
  }
}

/** Takes the lock. The mark appears in one step (link), so nobody ever reads an empty lock. */
async function taken(path: string, mark: string): Promise<boolean> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(draft, mark, { flag: 'wx' });
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw Problem.from(error, 'pki.invalid', { where: path });
  } finally {
    await rm(draft, { force: true });
  }
}

/** Moves a stale lock away. The move may hit a lock that was taken since we looked: that one is put back. */
async function removeStale(path: string, staleMs: number): Promise<void> {
  const seen = await readFile(path, 'utf8').catch(() => undefined);
  if (seen === undefined || !(await isStale(path, seen, staleMs))) return;
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(path, aside);
    if ((await readFile(aside, 'utf8')) !== seen) await link(aside, path);
  } catch {
    // Somebody else was faster; the next look decides.
  } finally {
    await rm(aside, { force: true });
  }
}

async function isStale(path: string, mark: string, staleMs: number): Promise<boolean> {
  const [host, pid] = mark.split(' ');
  if (host === hostname() && Number(pid) > 0) return !isAlive(Number(pid));
  const age = await stat(path).then(
    (found) => Date.now() - found.mtimeMs,
    () => 0,
  );
  return age > staleMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
