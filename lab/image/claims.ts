/**
 * Which cached layers machines stand on. Every lab on this host puts its folder down here, so that a new image never
 * takes the ground from under another lab's machines.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { layersInUse, stateDir } from '../machines/state-dir.js';
import { cacheRoot } from './cache-root.js';

/** Says that machines of the lab in this folder may use layers of the cache. */
export async function claimLayers(labDir: string): Promise<void> {
  await mkdir(claims(), { recursive: true });
  await writeFile(join(claims(), stateDir(labDir).tag), labDir);
}

/** Takes the claim back, once the lab has no machines. */
export async function releaseLayers(labDir: string): Promise<void> {
  await rm(join(claims(), stateDir(labDir).tag), { force: true });
}

/** Layers that machines or snapshots of any lab stand on. */
export async function claimedLayers(): Promise<ReadonlySet<string>> {
  const names = await readdir(claims()).catch(() => []);
  const dirs = await Promise.all(names.map((name) => readFile(join(claims(), name), 'utf8')));
  const layers = await Promise.all(dirs.map((dir) => layersInUse(dir)));
  return new Set(layers.flatMap((set) => [...set]));
}

function claims(): string {
  return join(cacheRoot(), 'labs');
}
