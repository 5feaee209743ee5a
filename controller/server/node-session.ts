/** One agent's stream: what it says goes to the node's keys in etcd, what the node shall run goes to it. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import {
  type Barrier,
  type Hello,
  Mesh,
  Outcome,
  Prepared,
  type Proven,
  type Result,
  type SessionRequest,
  type SessionResponse,
} from '../../proto/gen/nixinfra/v1/agent.js';
import { Problem } from '../../shared/errors.js';
import type { Entry, EtcdStore, Watch } from '../../shared/etcd/store.js';
import { controllerDefaults as defaults } from '../defaults.js';
import { isKnownKind } from '../mesh/barrier.js';
import { watchBarrier } from '../mesh/barrier-watch.js';
import type { MeshView } from '../mesh/mesh-view.js';
import type { BlobStore } from '../store/blobs.js';
import { keys, parseNodeKey } from '../store/keys.js';
import type { NodeStore } from '../store/nodes.js';
import { type NodeStatus, renderStatus } from '../store/shapes.js';
import { FencedWriter } from './fenced-writer.js';
import { isOrderKind, NodeOrders } from './node-orders.js';
import { isNewer, renderClaim, type SessionClaim } from './session-claim.js';

export type AgentStream = ServerDuplexStream<SessionRequest, SessionResponse>;

export interface SessionParts {
  controller: string;
  etcd: EtcdStore;
  nodes: NodeStore;
  blobs: BlobStore;
  log: Logger;
  mesh: MeshView;
  /** A newer session of the node was seen at another controller. */
  onSuperseded(): void;
}

type Event = NonNullable<SessionRequest['event']>;

/** Whether the node runs the result's revision after it. */
function landed({ outcome }: Result): boolean {
  return (
    outcome === Outcome.OUTCOME_UNCHANGED ||
    outcome === Outcome.OUTCOME_APPLIED ||
    outcome === Outcome.OUTCOME_NEEDS_REBOOT ||
    outcome === Outcome.OUTCOME_UNHEALTHY
  );
}

/** The last health report with what the node says now that it runs; the rest of it is renewed in a moment. */
function withFacts(health: NodeStatus['health'], { revision, system }: Hello): NodeStatus['health'] {
  return health && { ...health, revision, system };
}

/** The status after an event. Its `hello` is kept up to date: it says what the node runs, also after a result. */
export function afterEvent(status: NodeStatus, event: Event, nowMs: number): NodeStatus {
  const seen = { ...status, seenMs: nowMs };
  switch (event.$case) {
    case 'hello':
      // What ran when the former stream ended is over or will be told again.
      return {
        ...seen,
        hello: event.value,
        health: withFacts(status.health, event.value),
        progress: undefined,
      };
    case 'health':
      return { ...seen, health: event.value };
    case 'progress':
      return { ...seen, progress: event.value };
    case 'result': {
      const { value: result } = event;
      const hello = status.hello && {
        ...status.hello,
        revision: landed(result) ? result.revision : status.hello.revision,
        system: result.system || status.hello.system,
      };
      return { ...seen, hello, progress: undefined, result };
    }
    default:
      return seen;
  }
}

export class NodeSession {
  readonly #writer: FencedWriter;
  readonly #orders: NodeOrders;
  #status: NodeStatus = { seenMs: 0 };
  #watch: Watch | undefined;
  /** Whether the node's haproxy was ever read; only then is there something to say about it. */
  #balances = false;
  #mesh: Mesh | undefined;
  #listed = false;
  #endBarrier: () => void = () => {};
  #proven: Proven | undefined;
  #open = true;

  constructor(
    readonly node: string,
    readonly claim: SessionClaim,
    private readonly stream: AgentStream,
    private readonly parts: SessionParts,
  ) {
    this.#writer = new FencedWriter({
      etcd: parts.etcd,
      fenceKey: keys.session(node),
      onTrouble: (key, err) => parts.log.warn({ node, key, err }, 'a value of the node could not be written'),
    });
    this.#orders = new NodeOrders({
      blobs: parts.blobs,
      send: (command) => this.#send(command),
      onTrouble: (err) => parts.log.error({ node, err }, 'an order could not be sent'),
    });
  }

  async start(hello: Hello): Promise<void> {
    const { controller, etcd } = this.parts;
    this.#status = (await this.#formerStatus()) ?? this.#status;
    if (!this.#open) return;
    this.take({ $case: 'hello', value: hello });
    this.#send({ $case: 'welcome', value: { controller, healthIntervalMs: defaults.healthIntervalMs } });
    this.#watch = etcd.watchPrefix(keys.node(this.node), ({ key, entry }) => {
      const what = parseNodeKey(key)?.what ?? '';
      if (isOrderKind(what)) this.#orders.learn(what, entry);
      else if (what === 'mesh') this.#balances = entry !== undefined;
      else if (what === 'session') this.#claimedBy(entry);
    });
    void this.#watch.ready.then(() => {
      this.#listed = true;
      this.#writeMesh();
    });
  }

  take(event: Event): void {
    if (!this.#open) return;
    switch (event.$case) {
      case 'prepared':
        this.#writer.put(keys.prepared(this.node), JSON.stringify(Prepared.toJSON(event.value)));
        break;
      case 'mesh':
        this.#mesh = event.value;
        this.#writeMesh();
        break;
      case 'barrier':
        this.#watchBarrier(event.value);
        break;
      case 'proven':
        this.#proven = event.value;
        void this.#confirm(event.value);
        break;
      default:
        this.#status = afterEvent(this.#status, event, Date.now());
        this.#writer.put(keys.status(this.node), renderStatus(this.#status));
    }
  }

  /** No more reading or writing; the stream itself is ended by the caller. */
  close(): void {
    this.#open = false;
    this.#watch?.close();
    this.#writer.close();
    this.#orders.close();
    this.#endBarrier();
  }

  #claimedBy(entry: Entry | undefined): void {
    const value = entry?.value.toString() ?? '';
    this.#writer.fencedBy(value === renderClaim(this.claim) ? entry?.modRevision : undefined);
    if (isNewer(value, this.claim.sinceMs)) this.parts.onSuperseded();
  }

  async #formerStatus(): Promise<NodeStatus | undefined> {
    try {
      return await this.parts.nodes.status(this.node);
    } catch (error) {
      // A status that nobody can read must not lock its node out; the agent tells all of it again.
      if (Problem.from(error).code !== 'etcd.invalid') throw error;
      this.parts.log.warn({ node: this.node, err: error }, 'the former status is not readable');
      return undefined;
    }
  }

  #send(command: NonNullable<SessionResponse['command']>): void {
    if (this.#open && this.stream.writable) this.stream.write({ command });
  }

  /** The key exists exactly for nodes that have a haproxy: nobody waits for one that never was there. */
  #writeMesh(): void {
    if (!this.#mesh || !this.#listed || !(this.#mesh.readable || this.#balances)) return;
    this.#writer.put(keys.mesh(this.node), JSON.stringify(Mesh.toJSON(this.#mesh)));
  }

  #watchBarrier(barrier: Barrier): void {
    this.#endBarrier();
    this.#endBarrier = () => {};
    if (!isKnownKind(barrier.kind)) {
      this.parts.log.warn({ node: this.node, kind: barrier.kind }, 'a barrier of an unknown kind');
      return;
    }
    this.#endBarrier = watchBarrier(this.parts.mesh, barrier, (value) =>
      this.#send({ $case: 'barrierReply', value }),
    );
  }

  /** Confirms only what etcd holds now: an order that was replaced meanwhile must go back by itself. */
  async #confirm(proven: Proven): Promise<void> {
    const { nodes, log } = this.parts;
    while (this.#open && this.#proven === proven) {
      try {
        const desired = await nodes.desired(this.node);
        if (desired?.order === proven.order) this.#send({ $case: 'confirm', value: proven });
        else
          log.warn(
            { node: this.node, order: proven.order },
            'an order proved itself that is not wanted any more',
          );
        return;
      } catch (error) {
        log.warn({ node: this.node, err: error }, 'an order that proved itself could not be confirmed yet');
        await pause(defaults.writeRetryMs);
      }
    }
  }
}
