/**
 * Puts a bundle where NixOS reads it: a new directory beside, then two renames. The former one stays as `.previous` until the next
 * revision is staged; its presence tells an agent that was cut off that the swap had begun.
 */
import { chmod, copyFile, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BundleFile } from '../../shared/bundle/manifest.js';

/** Files that belong to the machine, not to the bundle, unless the bundle has one of the same name. */
export const machineFiles = ['hardware-configuration.nix', 'networking.nix', 'flake.lock'] as const;

const nextOf = (configDir: string) => `${configDir}.next`;
const previousOf = (configDir: string) => `${configDir}.previous`;

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Removes what an earlier job left. Must be on disk before the phase `staging` is. */
export async function clear(configDir: string): Promise<void> {
  await rm(nextOf(configDir), { recursive: true, force: true });
  await rm(previousOf(configDir), { recursive: true, force: true });
}

/** Writes the files and swaps. The paths have been checked (`checkFiles`). */
export async function stage(
  configDir: string,
  files: readonly BundleFile[],
  read: (sha256: string) => Promise<Buffer>,
): Promise<void> {
  const next = nextOf(configDir);
  await mkdir(next, { recursive: true, mode: 0o755 });
  for (const { path, mode, sha256 } of files) {
    const target = join(next, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, await read(sha256));
    await chmod(target, mode);
  }
  const owned = new Set(files.map((file) => file.path));
  for (const name of machineFiles) {
    const kept = join(configDir, name);
    if (!owned.has(name) && (await exists(kept))) await copyFile(kept, join(next, name));
  }
  if (await exists(configDir)) await rename(configDir, previousOf(configDir));
  await rename(next, configDir);
}

/** Undoes a swap, wherever it stopped; nothing to do when it had not begun. */
export async function unstage(configDir: string): Promise<void> {
  if (await exists(previousOf(configDir))) {
    await rm(configDir, { recursive: true, force: true });
    await rename(previousOf(configDir), configDir);
  }
  await rm(nextOf(configDir), { recursive: true, force: true });
}
