/** Content-addressed files and the manifests that name them, in etcd. */
import { gunzipSync } from 'node:zlib';
import type { Manifest } from '../../proto/gen/nixinfra/v1/bundle.js';
import { checkFiles, sha256 as hashOf, MAX_FILE_BYTES, revisionOf } from '../../shared/bundle/manifest.js';
import { Problem } from '../../shared/errors.js';
import type { EtcdStore } from '../../shared/etcd/store.js';
import { controllerDefaults as defaults } from '../defaults.js';
import { keys } from './keys.js';
import { manifestShape, parseValue } from './shapes.js';

function refuse(where: string, reason: string): never {
  throw new Problem('bundle.invalid', 'A bundle is not acceptable', { where, reason });
}

/** Throws `bundle.invalid` unless the gzip unpacks to content with this hash. */
export function checkBlob(sha256: string, gzip: Uint8Array): void {
  if (!/^[0-9a-f]{64}$/.test(sha256)) refuse(sha256.slice(0, 80), 'not a sha256');
  if (gzip.length > defaults.blobBytes)
    refuse(sha256, `${gzip.length} bytes compressed, at most ${defaults.blobBytes}`);
  let content: Buffer;
  try {
    content = gunzipSync(gzip, { maxOutputLength: MAX_FILE_BYTES });
  } catch (cause) {
    throw new Problem('bundle.invalid', 'A bundle is not acceptable', {
      where: sha256,
      reason: 'not gzip, or too large',
      cause,
    });
  }
  if (hashOf(content) !== sha256) refuse(sha256, 'the content has another hash');
}

/** Throws `bundle.invalid` unless the manifest is for this node, names safe files and carries its own revision. */
export function checkManifest(node: string, manifest: Manifest | undefined): Manifest {
  if (!manifest) refuse(node, 'no manifest');
  if (manifest.node !== node) refuse(node, `the manifest is for ${manifest.node.slice(0, 80)}`);
  if (manifest.files.length === 0) refuse(node, 'no files');
  checkFiles(manifest.files);
  if (revisionOf(node, manifest.files) !== manifest.revision)
    refuse(node, 'the revision is not that of the files');
  return manifest;
}

export class BlobStore {
  constructor(private readonly etcd: EtcdStore) {}

  /** Those of the hashes whose blob is not stored, each once. */
  async missing(hashes: readonly string[]): Promise<string[]> {
    const { entries } = await this.etcd.getPrefix(keys.blobs, { keysOnly: true });
    const have = new Set(entries.map((entry) => entry.key.slice(keys.blobs.length)));
    return [...new Set(hashes)].filter((hash) => !have.has(hash));
  }

  async put(sha256: string, gzip: Uint8Array): Promise<void> {
    checkBlob(sha256, gzip);
    await this.etcd.put(keys.blob(sha256), Buffer.from(gzip));
  }

  async get(sha256: string): Promise<Buffer | undefined> {
    return (await this.etcd.get(keys.blob(sha256)))?.value;
  }

  async putManifest(manifest: Manifest): Promise<void> {
    await this.etcd.put(keys.revision(manifest.revision), JSON.stringify(manifest));
  }

  async getManifest(revision: string): Promise<Manifest | undefined> {
    const key = keys.revision(revision);
    const entry = await this.etcd.get(key);
    return entry && parseValue(key, entry.value, manifestShape);
  }
}
