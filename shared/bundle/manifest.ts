/**
 * A bundle's manifest and its revision. Both sides compute the revision from the same canonical text, so a controller
 * cannot make an agent run files other than those the revision names.
 */
import { createHash } from 'node:crypto';
import { Problem } from '../errors.js';

export interface BundleFile {
  /** Relative path below /etc/nixos. */
  path: string;
  /** Permission bits, 0o644 or 0o755. */
  mode: number;
  /** Lower-case hex of the content's sha256. */
  sha256: string;
  /** Bytes. */
  size: number;
}

/** Largest number of files in a bundle; a project has about 100, more than this is a mistake (a `result` link followed). */
export const MAX_FILES = 5_000;
/** Largest file, bytes uncompressed; the agent's own program is about 1.5 MB. */
export const MAX_FILE_BYTES = 8 * 1024 * 1024;

export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** The revision: sha256 over `mode sha256 path` lines sorted by path bytes, and the node's name. */
export function revisionOf(node: string, files: readonly BundleFile[]): string {
  const lines = [...files]
    .sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
    .map((file) => `${file.mode.toString(8)} ${file.sha256} ${file.path}`);
  return sha256([`node ${node}`, ...lines, ''].join('\n'));
}

/** Throws `bundle.invalid` for a path that could leave the root, a wrong hash shape, a duplicate, or too much of anything. */
export function checkFiles(files: readonly BundleFile[]): void {
  const refuse = (where: string, reason: string) => {
    throw new Problem('bundle.invalid', 'A bundle is not acceptable', { where, reason });
  };
  if (files.length > MAX_FILES) refuse('bundle', `${files.length} files, at most ${MAX_FILES}`);
  const seen = new Set<string>();
  for (const { path, mode, sha256: hash, size } of files) {
    const parts = path.split('/');
    if (
      path.length > 512 ||
      parts.some((part) => part === '' || part === '.' || part === '..') ||
      /[\0\n\\]/.test(path)
    ) {
      refuse(path.slice(0, 80), 'not a plain relative path');
    }
    if (seen.has(path)) refuse(path, 'named twice');
    seen.add(path);
    if (mode !== 0o644 && mode !== 0o755)
      refuse(path, `mode ${mode.toString(8)}, only 644 and 755 are allowed`);
    if (!/^[0-9a-f]{64}$/.test(hash)) refuse(path, 'not a sha256');
    if (size > MAX_FILE_BYTES) refuse(path, `${size} bytes, at most ${MAX_FILE_BYTES}`);
  }
}
