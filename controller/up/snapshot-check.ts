/** Whether bytes are a whole snapshot of etcd: the database in pages of 512 bytes, then the SHA-256 over it. */
import { createHash } from 'node:crypto';

const hashBytes = 32;
const pageBytes = 512;

export class SnapshotCheck {
  readonly #hash = createHash('sha256');
  /** The last bytes so far, which may be the hash. */
  #tail = Buffer.alloc(0);
  #size = 0;

  add(chunk: Uint8Array): void {
    this.#size += chunk.length;
    const bytes = Buffer.concat([this.#tail, chunk]);
    const body = Math.max(0, bytes.length - hashBytes);
    this.#hash.update(bytes.subarray(0, body));
    this.#tail = bytes.subarray(body);
  }

  /** Bytes of the whole, the hash included. */
  get size(): number {
    return this.#size;
  }

  /** Why it is none; undefined when it is whole. Ends the check. */
  wrong(): string | undefined {
    if (this.#size <= hashBytes) return `it has ${this.#size} bytes`;
    if (this.#size % pageBytes !== hashBytes) return 'it does not end with the SHA-256 that etcd puts there';
    return this.#hash.digest().equals(this.#tail) ? undefined : 'its SHA-256 is not the one at its end';
  }
}
