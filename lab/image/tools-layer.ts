/** The layer above the base image that makes of Debian the lab's "NixOS snapshot". Cheap, so made anew at any change. */

import { existsSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { repoRoot } from '../repo-root.js';
import { ensureCached, keyOf, type Report } from './cache.js';

export interface ToolsLayerParts {
  /** Binaries for /usr/local/bin, by name. They come from a cache, so path and size say which one it is. */
  binaries: Readonly<Record<string, string>>;
}

/** Folders of the repository that go in, and where. */
const trees = [
  { from: 'lab/image/nixos', to: '/' },
  { from: 'lab/nixpkgs', to: 'usr/share/lab/nixpkgs' },
  { from: 'lab/nixos-rebuild', to: 'usr/share/lab/nixos-rebuild' },
] as const;

/** Programs of the repository that a NixOS has in its path. */
const programs = 'lab/nixos-rebuild/bin';

/**
 * Path of the layer, assembled now if one of its parts changed (under a second): /etc/NIXOS, Nix's settings and folders,
 * the activation at boot, the binaries, the stand-in nixpkgs and nixos-rebuild.
 */
export async function assembleToolsLayer(report: Report, { binaries }: ToolsLayerParts): Promise<string> {
  const root = repoRoot();
  const hashes = await Promise.all(trees.map(({ from }) => treeHash(join(root, from))));
  const sources = await Promise.all(
    Object.entries(binaries).map(async ([name, path]) => `${name} ${path} ${(await stat(path)).size}`),
  );
  return ensureCached({
    kind: 'tools',
    key: keyOf(layout, ...hashes, ...sources.toSorted()),
    report,
    make: async (dir) => {
      await assemble(root, dir);
      for (const [name, path] of Object.entries(binaries))
        await program(path, join(dir, 'usr/local/bin', name));
    },
  });
}

/** Part of the key: raise it when `assemble` changes. */
const layout = '1';

async function assemble(root: string, dir: string): Promise<void> {
  for (const path of [
    'etc/systemd/system/sysinit.target.wants',
    'nix/store',
    'nix/var/nix',
    'usr/local/bin',
    'root',
  ]) {
    await mkdir(join(dir, path), { recursive: true });
  }
  for (const { from, to } of trees) {
    if (existsSync(join(root, from))) await cp(join(root, from), join(dir, to), { recursive: true });
  }
  if (existsSync(join(root, programs))) {
    for (const name of await readdir(join(root, programs))) {
      await program(join(root, programs, name), join(dir, 'usr/local/bin', name));
    }
  }
  await writeFile(join(dir, 'etc/NIXOS'), '');
  await symlink(
    '../nixos-activate.service',
    join(dir, 'etc/systemd/system/sysinit.target.wants/nixos-activate.service'),
  );
  // A layer's modes override those of the layer below, whatever the umask of this process is.
  for (const path of [
    '.',
    'etc',
    'etc/nix',
    'etc/systemd',
    'etc/systemd/system',
    'nix',
    'nix/var',
    'usr',
    'usr/local',
  ]) {
    await chmod(join(dir, path), 0o755);
  }
  await chmod(join(dir, 'root'), 0o700);
  await chmod(join(dir, 'nix/store'), 0o1775);
}

async function program(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  await chmod(to, 0o755);
}

/** Hash over the names, modes and contents below a folder; a folder that is not there has one too. */
async function treeHash(dir: string): Promise<string> {
  if (!existsSync(dir)) return 'absent';
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const parts: (string | Buffer)[] = [];
  for (const path of files.toSorted()) {
    parts.push(relative(dir, path), String((await stat(path)).mode & 0o111), await readFile(path));
  }
  return keyOf(...parts);
}
