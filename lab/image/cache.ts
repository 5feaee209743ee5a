/** A folder of things that are slow to make, each below a key that says what it was made from. */
import { createHash } from 'node:crypto';
import { access, mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isRunning, processStamp } from '../machines/process.js';
import { must } from '../run.js';
import { cacheRoot } from './cache-root.js';
import { claimedLayers } from './claims.js';

/** Gets one line of progress for a person. */
export type Report = (line: string) => void;

export interface CacheEntry {
  /** What it is, for the folder's name and for people: `base`, `tools`. */
  kind: string;
  /** Hash of everything it is made from. */
  key: string;
  /** Makes it in an empty folder that takes its final name when this succeeds. */
  make(dir: string): Promise<void>;
  report: Report;
}

/** Short hash over texts; their borders count. */
export function keyOf(...parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest('hex').slice(0, 16);
}

/** The folder of the entry, made now if it is not there yet. Two processes may do this at once; one result stays. */
export async function ensureCached(entry: CacheEntry): Promise<string> {
  const root = cacheRoot();
  const dir = join(root, `${entry.kind}-${entry.key}`);
  if (!(await exists(dir))) {
    const began = performance.now();
    const stamp = processStamp(process.pid);
    const temp = join(root, `.${entry.kind}-${entry.key}.${process.pid}.${stamp?.started ?? 0}`);
    await mkdir(temp, { recursive: true });
    try {
      await entry.make(temp);
      await rename(temp, dir).catch(async (error: unknown) => {
        if (!(await exists(dir))) throw error;
      });
    } finally {
      await remove(temp);
    }
    entry.report(`${entry.kind}: ready after ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }
  await removeOld(root, entry, dir);
  return dir;
}

/** Removes other keys of the kind that no machine stands on, and what builds that died left behind. */
async function removeOld(root: string, entry: CacheEntry, current: string): Promise<void> {
  const claimed = await claimedLayers();
  for (const name of await readdir(root)) {
    const path = join(root, name);
    const old = name.startsWith(`${entry.kind}-`) && path !== current && !claimed.has(path);
    if (old || abandoned(name)) await remove(path);
  }
}

function abandoned(name: string): boolean {
  const match = /^\..+\.(\d+)\.(\d+)$/.exec(name);
  return match !== null && !isRunning({ pid: Number(match[1]), started: Number(match[2]) });
}

/** By `rm`, because it stays on one file system whatever is mounted below. */
async function remove(path: string): Promise<void> {
  await must(['rm', '-rf', '--one-file-system', path]);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
