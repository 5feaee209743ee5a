/** Content-addressed files on the node. What is here was checked when it came and is checked again when it is used. */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { sha256 as hashOf, MAX_FILE_BYTES } from '../../shared/bundle/manifest.js';
import { Problem } from '../../shared/errors.js';

export class BlobCache {
  constructor(private readonly dir: string) {}

  /** Those of the hashes that are not here, each once. */
  async missing(hashes: readonly string[]): Promise<string[]> {
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    const have = new Set(await readdir(this.dir));
    return [...new Set(hashes)].filter((hash) => !have.has(hash));
  }

  /** Stores a gzip; throws `bundle.invalid` when its content has another hash. */
  async put(sha256: string, gzip: Uint8Array): Promise<void> {
    let content: Buffer;
    try {
      content = gunzipSync(gzip, { maxOutputLength: MAX_FILE_BYTES });
    } catch (cause) {
      throw Problem.from(cause, 'bundle.invalid', { where: sha256, reason: 'not gzip, or too large' });
    }
    check(sha256, content);
    const part = join(this.dir, `.${sha256}.part`);
    try {
      await writeFile(part, content, { mode: 0o600 });
      await rename(part, join(this.dir, sha256));
    } catch (error) {
      // Half a file on a full disk helps nobody.
      await rm(part, { force: true });
      throw error;
    }
  }

  async read(sha256: string): Promise<Buffer> {
    const content = await readFile(join(this.dir, sha256));
    try {
      check(sha256, content);
    } catch (error) {
      // A damaged copy must not stay: the next attempt fetches it anew.
      await rm(join(this.dir, sha256), { force: true });
      throw error;
    }
    return content;
  }

  /** Forgets everything but these. */
  async keepOnly(hashes: readonly string[]): Promise<void> {
    const keep = new Set(hashes);
    for (const name of await readdir(this.dir))
      if (!keep.has(name)) await rm(join(this.dir, name), { force: true });
  }
}

function check(sha256: string, content: Buffer): void {
  if (hashOf(content) === sha256) return;
  throw new Problem('bundle.invalid', 'A bundle is not acceptable', {
    where: sha256,
    reason: 'the content has another hash',
  });
}
