/** WatchRollout: a rollout and what its nodes do, now and at every change, until it has ended. */
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type {
  NodeProgress,
  WatchRolloutRequest,
  WatchRolloutResponse,
} from '../../proto/gen/nixinfra/v1/operator.js';
import type { Change, EtcdStore } from '../../shared/etcd/store.js';
import { controllerDefaults as defaults } from '../defaults.js';
import { isTerminal, type Rollout, rolloutShape } from '../rollout/rollout.js';
import { keys, parseNodeKey } from '../store/keys.js';
import { leaderShape, parseStatus, parseValue } from '../store/shapes.js';

export type RolloutWatchCall = ServerWritableStream<WatchRolloutRequest, WatchRolloutResponse>;

/** Writes to the call until the rollout ends, the caller leaves, or `close` is called. */
export class RolloutWatch {
  #rollout: Rollout;
  readonly #nodes = new Map<string, NodeProgress>();
  readonly #leaving = new Map<string, NodeJS.Timeout>();
  #leader = '';
  #timer: NodeJS.Timeout | undefined;
  #listed = false;
  #closed = false;
  /** What was told last: a health report changes nothing that is told here. */
  #told = '';
  #full = false;
  readonly #close: () => void;

  constructor(
    rollout: Rollout,
    private readonly call: RolloutWatchCall,
    parts: { etcd: EtcdStore; log: Logger },
  ) {
    this.#rollout = rollout;
    const learn = (change: Change) => {
      try {
        this.#learn(change);
      } catch (error) {
        parts.log.warn({ key: change.key, err: error }, 'a value is not readable');
      }
      this.#soon();
    };
    const watches = [keys.rollout(rollout.id), keys.nodes, keys.leader].map((prefix) =>
      parts.etcd.watchPrefix(prefix, learn),
    );
    void Promise.all(watches.map(({ ready }) => ready)).then(() => {
      this.#listed = true;
      this.#soon();
    });
    this.#close = () => {
      for (const watch of watches) watch.close();
    };
    call.on('cancelled', () => this.close());
    call.on('error', () => this.close());
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const timer of this.#leaving.values()) clearTimeout(timer);
    this.#close();
  }

  #learn({ key, entry }: Change): void {
    if (key === keys.rollout(this.#rollout.id) && entry)
      this.#rollout = parseValue(key, entry.value, rolloutShape);
    if (key === keys.leader) this.#leader = entry ? parseValue(key, entry.value, leaderShape).controller : '';
    const parsed = parseNodeKey(key);
    if (!parsed) return;
    const known = this.#nodes.get(parsed.node) ?? {
      node: parsed.node,
      connected: false,
      progress: undefined,
    };
    if (parsed.what === 'session') this.#presence(known, entry !== undefined);
    if (parsed.what === 'status')
      this.#nodes.set(parsed.node, { ...known, progress: entry && parseStatus(key, entry.value).progress });
  }

  /** A node that dials anew to prove itself is not away: that is told only of one that does not come back. */
  #presence(known: NodeProgress, connected: boolean): void {
    const { node } = known;
    clearTimeout(this.#leaving.get(node));
    this.#leaving.delete(node);
    if (connected) this.#nodes.set(node, { ...known, connected });
    else
      this.#leaving.set(
        node,
        setTimeout(() => {
          this.#nodes.set(node, { ...(this.#nodes.get(node) ?? known), connected });
          this.#soon();
        }, defaults.awayMs),
      );
  }

  /** Changes come in bursts (every listing is one): a person needs one picture of each. */
  #soon(): void {
    if (this.#closed || !this.#listed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#tell();
    }, defaults.watchCoalesceMs);
  }

  #tell(): void {
    if (this.#closed || this.call.cancelled) return;
    const holding = new Set(this.#rollout.nodes.filter(({ order }) => order !== '').map(({ name }) => name));
    const nodes = [...this.#nodes.values()].filter(({ node }) => holding.has(node));
    const message = { rollout: JSON.stringify(this.#rollout), nodes, leader: this.#leader };
    const text = JSON.stringify(message);
    // A slow line gets the newest picture when it has taken the last one, not every one in between.
    if (text === this.#told || this.#full) return;
    this.#told = text;
    if (!this.call.write(message)) {
      this.#full = true;
      this.call.once('drain', () => {
        this.#full = false;
        this.#soon();
      });
    }
    if (!isTerminal(this.#rollout.state)) return;
    this.close();
    this.call.end();
  }
}
