/** The operator's side of OperatorService, in the words of the commands that use it. */
import { gzipSync } from 'node:zlib';
import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type {
  AddMemberResponse,
  GetStatusResponse,
  ListRolloutsResponse,
  MissingBlobsResponse,
  OperatorServiceClient,
  PlanProgress,
  PlanUndoResponse,
  PutBlobsRequest,
  RemoveNodeResponse,
  ReserveOverlayResponse,
  RolloutTarget,
  WatchRolloutResponse,
} from '../../proto/gen/nixinfra/v1/operator.js';
import { Problem } from '../../shared/errors.js';
import type { Bundle } from '../project/bundle.js';
import type { RolloutView } from '../rollout/events.js';
import type { RolloutOptions } from '../rollout/options.js';
import { isTerminal, type Rollout, rolloutShape } from '../rollout/rollout.js';
import { parseValue } from '../store/shapes.js';
import { Connection, type Unary } from './connection.js';
import { operatorDefaults as defaults } from './defaults.js';
import { identityError } from './problems.js';

export interface OperatorClientOptions {
  cluster: string;
  /** Every controller: node name and `address:port`. */
  controllers: readonly { name: string; address: string }[];
  /** What to trust: the CA's chain. */
  chainPem: string;
  keyPem: string;
  certPem: string;
}

export interface PlanRequest {
  targets: readonly RolloutTarget[];
  options: RolloutOptions;
  /** user@host */
  who: string;
  why: string;
}

export interface SteerRequest {
  id: string;
  action: 'abort' | 'resume';
  /** abort only: nodes that were moved stay. */
  noUndo: boolean;
  who: string;
}

/** What the commands need from the cluster; tests give them a fake. Problems of the controller come through with their codes. */
export interface Operator {
  getStatus(): Promise<GetStatusResponse>;
  /** The CIDR subnet of the node, reserved at the first call. */
  reserveOverlay(node: string, ipv4: string): Promise<string>;
  registerNode(node: string, ipv4: string, services: readonly string[]): Promise<void>;
  /** Number of keys that went. */
  removeNode(node: string): Promise<number>;
  /**
   * A snapshot of etcd, in chunks; `begin` is told when they begin anew, because the controller they came from went away. Throws
   * `interrupted` with the signal.
   */
  snapshotEtcd(begin: () => Promise<void>, signal: AbortSignal): AsyncIterable<Buffer>;
  /** Takes a member out of etcd. Throws `etcd.quorum`, and `node.alive` unless forced. */
  removeMember(node: string, force: boolean): Promise<void>;
  /** Announces a member; what its --initial-cluster is. Throws `etcd.member-lost` when one of that name has run already. */
  addMember(node: string, ipv4: string): Promise<string>;
  /** Stores the contents of these bundles that the cluster lacks. */
  putBundles(bundles: readonly Bundle[]): Promise<void>;
  /**
   * Has the nodes prepare and returns the plan, which has no nodes when nothing has to change. Asked again when the controller goes away:
   * a plan that nobody starts does no harm. Throws `interrupted` with the signal.
   */
  planRollout(
    request: PlanRequest,
    onProgress: (progress: PlanProgress) => void,
    signal: AbortSignal,
  ): Promise<Rollout>;
  /** Starts a planned rollout; no error when it was started already. Throws `rollout.stale`, `rollout.locked`. */
  startRollout(id: string): Promise<void>;
  /**
   * The rollout now and at every change, to its end or the signal. Without an id the one that runs, else the newest. It outlives the
   * controllers: `controller.unreachable` only when none answers for a minute.
   */
  watchRollout(id: string, signal: AbortSignal): AsyncIterable<RolloutView>;
  /** Newest first. */
  listRollouts(): Promise<Rollout[]>;
  steerRollout(request: SteerRequest): Promise<void>;
  /** The plan of the way back of a rollout that has ended. */
  planUndo(id: string, who: string, why: string): Promise<Rollout>;
  close(): void;
}

/** Connects on the first call. Throws `controller.unreachable` when none of the controllers answers. */
export function createOperatorClient(options: OperatorClientOptions): Operator {
  const { controllers, chainPem, keyPem, certPem, cluster } = options;
  const tls = credentials.createSsl(Buffer.from(chainPem), Buffer.from(keyPem), Buffer.from(certPem), {
    checkServerIdentity: (_host, peer) => identityError(peer.raw, cluster),
  });
  return new OperatorClient(new Connection({ controllers, credentials: tls }));
}

export class OperatorClient implements Operator {
  constructor(private readonly connection: Connection) {}

  getStatus(): Promise<GetStatusResponse> {
    return this.connection.call(
      (client, request, deadline, done) => client.getStatus(request, noMetadata(), { deadline }, done),
      {},
    );
  }

  async reserveOverlay(node: string, ipv4: string): Promise<string> {
    const { subnet } = await this.connection.call(
      (client, request, deadline, done: Done<ReserveOverlayResponse>) =>
        client.reserveOverlay(request, noMetadata(), { deadline }, done),
      { node, ipv4 },
    );
    return subnet;
  }

  async registerNode(node: string, ipv4: string, services: readonly string[]): Promise<void> {
    await this.connection.call(
      (client, request, deadline, done: Done<object>) =>
        client.registerNode(request, noMetadata(), { deadline }, done),
      { node, ipv4, services: [...services], apps: [], assign: false },
    );
  }

  async removeNode(node: string): Promise<number> {
    const { keys } = await this.connection.call(
      (client, request, deadline, done: Done<RemoveNodeResponse>) =>
        client.removeNode(request, noMetadata(), { deadline }, done),
      { node },
    );
    return keys;
  }

  async *snapshotEtcd(begin: () => Promise<void>, signal: AbortSignal): AsyncIterable<Buffer> {
    let begun = 0;
    let seen = 0;
    const open = (client: OperatorServiceClient) => {
      begun += 1;
      return client.snapshotEtcd({});
    };
    const answers = this.connection.stream(open, { signal, isLast: ({ last }) => last });
    for await (const { chunk, last } of answers) {
      if (seen !== begun) await begin();
      seen = begun;
      if (last) return;
      yield chunk;
    }
    throw new Problem('interrupted', 'Interrupted');
  }

  async removeMember(node: string, force: boolean): Promise<void> {
    await this.connection.call(
      (client, request, deadline, done: Done<object>) =>
        client.removeMember(request, noMetadata(), { deadline }, done),
      { node, force },
    );
  }

  async addMember(node: string, ipv4: string): Promise<string> {
    const { initialCluster } = await this.connection.call(
      (client, request, deadline, done: Done<AddMemberResponse>) =>
        client.addMember(request, noMetadata(), { deadline }, done),
      { node, ipv4 },
    );
    return initialCluster;
  }

  async putBundles(bundles: readonly Bundle[]): Promise<void> {
    const contents = new Map(bundles.flatMap((bundle) => [...bundle.contents]));
    const { sha256: missing } = await this.connection.call(
      (client, request, deadline, done: Done<MissingBlobsResponse>) =>
        client.missingBlobs(request, noMetadata(), { deadline }, done),
      { sha256: [...contents.keys()] },
    );
    const blobs = missing.map((sha256) => ({
      sha256,
      gzip: gzipSync(contents.get(sha256) ?? Buffer.alloc(0)),
    }));
    for (const batch of inBatches(blobs)) await this.connection.call(putBlobs, batch);
  }

  async planRollout(
    { targets, options, who, why }: PlanRequest,
    onProgress: (progress: PlanProgress) => void,
    signal: AbortSignal,
  ): Promise<Rollout> {
    const request = { targets: [...targets], options: JSON.stringify(options), who, why };
    const answers = this.connection.stream((client) => client.planRollout(request), {
      signal,
      isLast: ({ step }) => step?.$case === 'rollout',
    });
    for await (const { step } of answers) {
      if (step?.$case === 'rollout') return parseRollout(step.value);
      if (step?.$case === 'progress') onProgress(step.value);
    }
    throw new Problem('interrupted', 'Interrupted');
  }

  async startRollout(id: string): Promise<void> {
    try {
      await this.connection.call(
        (client, request, deadline, done: Done<object>) =>
          client.startRollout(request, noMetadata(), { deadline }, done),
        { id },
        { patient: true },
      );
    } catch (error) {
      // The answer to the first attempt may have been lost: then it is this very rollout that is in the way.
      const { code } = Problem.from(error);
      const inTheWay = code === 'rollout.locked' || code === 'rollout.stale' || code === 'rollout.state';
      if (inTheWay && (await this.hasStarted(id).catch(() => false))) return;
      throw error;
    }
  }

  async *watchRollout(id: string, signal: AbortSignal): AsyncIterable<RolloutView> {
    let wanted = id;
    const answers = this.connection.stream<WatchRolloutResponse>(
      (client) => client.watchRollout({ id: wanted }),
      { signal, isLast: ({ rollout }) => isTerminal(parseRollout(rollout).state) },
    );
    for await (const { rollout: json, nodes, leader } of answers) {
      const rollout = parseRollout(json);
      // Another controller must go on with the same one, even when a newer has come.
      wanted = rollout.id;
      yield { rollout, nodes, leader };
    }
  }

  async listRollouts(): Promise<Rollout[]> {
    const { rollouts } = await this.connection.call(
      (client, request, deadline, done: Done<ListRolloutsResponse>) =>
        client.listRollouts(request, noMetadata(), { deadline }, done),
      {},
    );
    return rollouts.map(parseRollout);
  }

  async steerRollout(request: SteerRequest): Promise<void> {
    await this.connection.call(
      (client, asked, deadline, done: Done<object>) =>
        client.steerRollout(asked, noMetadata(), { deadline }, done),
      request,
      { patient: true },
    );
  }

  async planUndo(id: string, who: string, why: string): Promise<Rollout> {
    const { rollout } = await this.connection.call(
      (client, request, deadline, done: Done<PlanUndoResponse>) =>
        client.planUndo(request, noMetadata(), { deadline }, done),
      { id, who, why },
      { patient: true },
    );
    return parseRollout(rollout);
  }

  close(): void {
    this.connection.close();
  }

  private async hasStarted(id: string): Promise<boolean> {
    const view = await firstView(this, id);
    return view !== undefined && view.rollout.state !== 'planned';
  }
}

/** A rollout as it is now: the named one, or the one that runs, else the newest; undefined when there is none. */
export async function firstView(
  operator: Pick<Operator, 'watchRollout'>,
  id: string,
): Promise<RolloutView | undefined> {
  const watch = new AbortController();
  try {
    for await (const view of operator.watchRollout(id, watch.signal)) return view;
    return undefined;
  } catch (error) {
    if (id === '' && error instanceof Problem && error.code === 'rollout.unknown') return undefined;
    throw error;
  } finally {
    watch.abort();
  }
}

function parseRollout(json: string): Rollout {
  return parseValue('rollout', Buffer.from(json), rolloutShape);
}

const putBlobs: Unary<readonly PutBlobsRequest[], object> = (client, blobs, deadline, done) => {
  const stream = client.putBlobs(noMetadata(), { deadline }, done);
  // gRPC keeps what the other side has not taken yet; a batch is a few MB, so waiting for `drain` would gain nothing.
  for (const blob of blobs) stream.write(blob);
  stream.end();
};

function inBatches(blobs: readonly PutBlobsRequest[]): PutBlobsRequest[][] {
  const batches: PutBlobsRequest[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const blob of blobs) {
    if (size + blob.gzip.length > defaults.batchBytes) {
      batches.push([]);
      size = 0;
    }
    batches.at(-1)?.push(blob);
    size += blob.gzip.length;
  }
  return batches;
}

type Done<Response> = (error: ServiceError | null, response: Response) => void;

function noMetadata(): Metadata {
  return new Metadata();
}
