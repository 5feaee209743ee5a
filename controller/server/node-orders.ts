/** What etcd says the node shall run and prepare, as commands for its agent. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ApplyOptions, SessionResponse } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Manifest } from '../../proto/gen/nixinfra/v1/bundle.js';
import { Problem } from '../../shared/errors.js';
import type { Entry } from '../../shared/etcd/store.js';
import { controllerDefaults as defaults } from '../defaults.js';
import type { BlobStore } from '../store/blobs.js';
import { type DesiredValue, desiredShape, parseValue, prepareShape } from '../store/shapes.js';

export type Command = NonNullable<SessionResponse['command']>;
const kinds = ['desired', 'prepare'] as const;
export type OrderKind = (typeof kinds)[number];

export function isOrderKind(what: string): what is OrderKind {
  return (kinds as readonly string[]).includes(what);
}

export function applyOptions(options: DesiredValue['options']): ApplyOptions {
  return {
    drainAckMs: defaults.drainAckMs,
    // On the wire 0 is the agent's default; whoever orders 0 wants no waiting.
    drainMs: Math.max(1, options.drainMs),
    settleMs: options.settleMs,
    confirmMs: options.confirmMs,
    routeMs: defaults.routeMs,
    force: options.force,
  };
}

export interface NodeOrdersOptions {
  blobs: Pick<BlobStore, 'getManifest'>;
  send(command: Command): void;
  onTrouble(error: unknown): void;
}

/** Sends the newest order of each kind; goes on trying while etcd does not answer. */
export class NodeOrders {
  readonly #due = new Map<OrderKind, Entry>();
  #running = false;
  #open = true;

  constructor(private readonly options: NodeOrdersOptions) {}

  learn(kind: OrderKind, entry: Entry | undefined): void {
    if (entry) this.#due.set(kind, entry);
    else this.#due.delete(kind);
    void this.#run();
  }

  close(): void {
    this.#open = false;
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    while (this.#open) {
      const [next] = this.#due;
      if (next === undefined) break;
      const [kind, entry] = next;
      try {
        const command = await this.#command(kind, entry);
        // A newer one came meanwhile: this one is void.
        if (this.#due.get(kind) !== entry) continue;
        this.#due.delete(kind);
        if (this.#open && command) this.options.send(command);
      } catch (error) {
        this.options.onTrouble(error);
        if (Problem.from(error).code === 'etcd.unavailable') await pause(defaults.writeRetryMs);
        else if (this.#due.get(kind) === entry) this.#due.delete(kind);
      }
    }
    this.#running = false;
  }

  async #command(kind: OrderKind, { key, value, modRevision }: Entry): Promise<Command | undefined> {
    if (kind === 'prepare') {
      const { request, revision } = parseValue(key, value, prepareShape);
      return { $case: 'prepare', value: { request, manifest: await this.#manifest(key, revision) } };
    }
    const { revision, order, epoch, token, options } = parseValue(key, value, desiredShape);
    if (order === '') return undefined;
    const manifest = await this.#manifest(key, revision);
    return {
      $case: 'desired',
      value: { manifest, order, epoch, token, change: modRevision, options: applyOptions(options) },
    };
  }

  async #manifest(key: string, revision: string): Promise<Manifest> {
    const manifest = await this.options.blobs.getManifest(revision);
    if (!manifest)
      throw new Problem('etcd.invalid', 'The manifest of an order is missing', {
        where: key,
        reason: `revision ${revision.slice(0, 64)}`,
      });
    return manifest;
  }
}
