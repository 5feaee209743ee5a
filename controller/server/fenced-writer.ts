/**
 * What one session tells of its node, written to etcd: the newest value of each key, one write at a time, and only while the node's
 * session key is the session's own. Each write is a transaction on that key's last change, so a session that was superseded, here or
 * at another controller, cannot write over its successor, however late its write arrives.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { EtcdStore } from '../../shared/etcd/store.js';
import { controllerDefaults as defaults } from '../defaults.js';

export interface FencedWriterOptions {
  etcd: Pick<EtcdStore, 'transact'>;
  /** Key that says whose session it is. */
  fenceKey: string;
  onTrouble(key: string, error: unknown): void;
}

export class FencedWriter {
  readonly #values = new Map<string, string>();
  readonly #dirty = new Set<string>();
  #fence: number | undefined;
  #running = false;
  #open = true;

  constructor(private readonly options: FencedWriterOptions) {}

  put(key: string, value: string): void {
    if (Buffer.byteLength(value) > defaults.valueBytes) {
      this.options.onTrouble(key, new Error(`a value of more than ${defaults.valueBytes} bytes is not kept`));
      return;
    }
    this.#values.set(key, value);
    this.#dirty.add(key);
    void this.#run();
  }

  /** The last change of the fence key while it is this session's; undefined while it is not. */
  fencedBy(change: number | undefined): void {
    if (change === this.#fence) return;
    this.#fence = change;
    // The key was lost and is back: what was told under the former one counts again only when it is written again.
    if (change !== undefined) for (const key of this.#values.keys()) this.#dirty.add(key);
    void this.#run();
  }

  close(): void {
    this.#open = false;
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    while (this.#open && this.#fence !== undefined) {
      const [key] = this.#dirty;
      if (key === undefined) break;
      await this.#write(key, this.#values.get(key) ?? '', this.#fence);
    }
    this.#running = false;
  }

  async #write(key: string, value: string, fence: number): Promise<void> {
    this.#dirty.delete(key);
    const { etcd, fenceKey, onTrouble } = this.options;
    try {
      if (await etcd.transact([{ key: fenceKey, modRevision: fence }], [{ do: 'put', key, value }])) return;
      this.#dirty.add(key);
      // Who watches the fence key will say whose it is now; it may have said so already.
      if (this.#fence === fence) this.#fence = undefined;
    } catch (error) {
      this.#dirty.add(key);
      onTrouble(key, error);
      await pause(defaults.writeRetryMs);
    }
  }
}
