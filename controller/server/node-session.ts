/** One agent's stream: what it says goes to the node's status in etcd, what the node shall run goes to it. */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { Hello, SessionRequest, SessionResponse } from '../../proto/gen/nixinfra/v1/agent.js';
import type { EtcdStore, Watch } from '../../shared/etcd/store.js';
import { controllerDefaults as defaults } from '../defaults.js';
import type { BlobStore } from '../store/blobs.js';
import { keys } from '../store/keys.js';
import type { NodeStore } from '../store/nodes.js';
import { desiredShape, type NodeStatus, parseValue } from '../store/shapes.js';

export type AgentStream = ServerDuplexStream<SessionRequest, SessionResponse>;

export interface SessionParts {
  controller: string;
  etcd: EtcdStore;
  nodes: NodeStore;
  blobs: BlobStore;
  log: Logger;
}

type Event = NonNullable<SessionRequest['event']>;

/** The status after an event. `order` is the change of the desired key that was last sent, with its revision. */
export function afterEvent(
  status: NodeStatus,
  event: Event,
  order: { revision: string; change: number } | undefined,
  nowMs: number,
): NodeStatus {
  const seen = { ...status, seenMs: nowMs };
  switch (event.$case) {
    case 'hello':
      // What ran when the former stream ended is over or will be told again.
      return { ...seen, hello: event.value, progress: undefined };
    case 'health':
      return { ...seen, health: event.value };
    case 'progress':
      return { ...seen, progress: event.value };
    case 'result':
      return {
        ...seen,
        progress: undefined,
        result: event.value,
        resultFor: order?.revision === event.value.revision ? order.change : status.resultFor,
      };
  }
}

export class NodeSession {
  #status: NodeStatus = { resultFor: 0, seenMs: 0 };
  #order: { revision: string; change: number } | undefined;
  #watch: Watch | undefined;
  #sending: Promise<void> = Promise.resolve();
  #writing = false;
  #dirty = false;
  #open = true;

  constructor(
    readonly node: string,
    readonly sinceMs: number,
    private readonly stream: AgentStream,
    private readonly parts: SessionParts,
  ) {}

  async start(hello: Hello): Promise<void> {
    const { controller, nodes, etcd } = this.parts;
    this.#status = (await nodes.status(this.node)) ?? this.#status;
    if (!this.#open) return;
    this.take({ $case: 'hello', value: hello });
    this.#send({ $case: 'welcome', value: { controller, healthIntervalMs: defaults.healthIntervalMs } });
    const key = keys.desired(this.node);
    this.#watch = etcd.watchPrefix(key, ({ entry }) => {
      if (!entry || entry.key !== key) return;
      this.#sending = this.#sending.then(() => this.#sendDesired(entry.modRevision, entry.value));
    });
  }

  take(event: Event): void {
    if (!this.#open) return;
    this.#status = afterEvent(this.#status, event, this.#order, Date.now());
    this.#dirty = true;
    void this.#write();
  }

  /** No more reading or writing; the stream itself is ended by the caller. */
  close(): void {
    this.#open = false;
    this.#watch?.close();
  }

  #send(command: NonNullable<SessionResponse['command']>): void {
    if (this.#open && this.stream.writable) this.stream.write({ command });
  }

  async #sendDesired(change: number, value: Buffer): Promise<void> {
    try {
      const { revision } = parseValue(keys.desired(this.node), value, desiredShape);
      const manifest = await this.parts.blobs.getManifest(revision);
      if (!manifest) throw new Error(`the manifest of revision ${revision} is missing`);
      this.#order = { revision, change };
      this.#send({ $case: 'desired', value: { manifest } });
    } catch (error) {
      this.parts.log.error({ node: this.node, err: error }, 'the desired revision could not be sent');
    }
  }

  /** One write at a time, always of the newest status: a slow etcd must not queue up old ones. */
  async #write(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    try {
      while (this.#dirty && this.#open) {
        this.#dirty = false;
        await this.parts.nodes.putStatus(this.node, this.#status);
      }
    } catch (error) {
      // The next event, at the latest the next health report, writes all of it again.
      this.#dirty = true;
      this.parts.log.warn({ node: this.node, err: error }, 'the status could not be written');
    } finally {
      this.#writing = false;
    }
  }
}
