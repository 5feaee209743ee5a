/** Writes a bundle into a folder of its own, aside of /etc/nixos, and copies such a folder beside it when its time has come. */
import { chmod, copyFile, cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { type BundleFile, sha256 } from '../../shared/bundle/manifest.js';
import { besideOf, forgetMarker, revisionMarker, swap } from '../system/swap.js';

/** Files that belong to the machine, not to the bundle, unless the bundle has one of the same name. */
export const machineFiles = ['hardware-configuration.nix', 'networking.nix', 'flake.lock'] as const;

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Machine files that a bundle leaves to the machine. */
function kept(files: readonly BundleFile[]): string[] {
  const owned = new Set(files.map((file) => file.path));
  return machineFiles.filter((name) => !owned.has(name));
}

/** What the machine itself brings to a revision; another text is another system. */
export async function machineDigest(configDir: string, files: readonly BundleFile[]): Promise<string> {
  const parts = kept(files).map(async (name) => {
    const content = await readFile(join(configDir, name)).catch(() => undefined);
    return `${name} ${content ? sha256(content) : '-'}`;
  });
  return (await Promise.all(parts)).join('\n');
}

/**
 * Writes the files, with those of the machine, as `folder`; it appears complete or not at all. The paths have been checked (`checkFiles`).
 */
export async function stageAside(
  folder: string,
  bundle: { revision: string; files: readonly BundleFile[] },
  configDir: string,
  read: (sha256: string) => Promise<Buffer>,
): Promise<void> {
  const part = `${folder}.part`;
  await rm(part, { recursive: true, force: true });
  await mkdir(part, { recursive: true, mode: 0o755 });
  for (const { path, mode, sha256: hash } of bundle.files) {
    const target = join(part, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, await read(hash));
    await chmod(target, mode);
  }
  for (const name of kept(bundle.files)) {
    const own = join(configDir, name);
    if (await exists(own)) await copyFile(own, join(part, name));
  }
  await writeFile(join(part, revisionMarker), `${bundle.revision}\n`);
  await rm(folder, { recursive: true, force: true });
  await rename(part, folder);
}

/** Puts the staged folder beside /etc/nixos, ready to be swapped in. */
export async function bringBeside(folder: string, configDir: string, revision: string): Promise<void> {
  const beside = besideOf(configDir);
  await rm(beside, { recursive: true, force: true });
  await forgetMarker(configDir, revision);
  const part = `${beside}.part`;
  await rm(part, { recursive: true, force: true });
  await cp(folder, part, { recursive: true, preserveTimestamps: true });
  await rename(part, beside);
}

/** /etc/nixos is the staged revision, and the former one stands beside. */
export function swapIn(configDir: string, revision: string): Promise<void> {
  return swap('forward', configDir, revision);
}

/** /etc/nixos is what it was before; nothing happens where it is. */
export async function swapBack(configDir: string, revision: string): Promise<void> {
  await swap('back', configDir, revision);
  await rm(besideOf(configDir), { recursive: true, force: true });
}

/** The former /etc/nixos gets the name under which a person looks for it. */
export async function keepPrevious(configDir: string): Promise<void> {
  if (!(await exists(besideOf(configDir)))) return;
  await rm(`${configDir}.previous`, { recursive: true, force: true });
  await rename(besideOf(configDir), `${configDir}.previous`);
}

/** `path -> sha256` of every file below a folder, the agent's own marker left out. */
export async function hashFolder(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const hashes = new Map<string, string>();
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path);
    if (name !== revisionMarker) hashes.set(name, sha256(await readFile(path)));
  }
  return hashes;
}
