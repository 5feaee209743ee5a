/** OperatorService: everything the command line asks for, answered from etcd, so that any controller can answer. */
import { type ServerReadableStream, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type {
  EtcdMember,
  OperatorServiceServer,
  PutBlobsRequest,
  PutBlobsResponse,
} from '../../proto/gen/nixinfra/v1/operator.js';
import { Problem } from '../../shared/errors.js';
import type { EtcdStore } from '../../shared/etcd/store.js';
import { checkedName } from '../../shared/names.js';
import { controllerDefaults as defaults } from '../defaults.js';
import type { BlobStore } from '../store/blobs.js';
import { keys } from '../store/keys.js';
import type { NodeStore } from '../store/nodes.js';
import { reserveOverlay } from '../store/overlay.js';
import { lockedBy } from '../store/rollouts.js';
import { leaderShape, parseValue } from '../store/shapes.js';
import { callerName } from './authorise.js';
import { type EtcdAdminService, sendSnapshot } from './etcd-admin.js';
import { RolloutPlanner } from './rollout-planner.js';
import { RolloutService } from './rollout-service.js';
import { RolloutWatch, type RolloutWatchCall } from './rollout-watch.js';
import { toServiceError } from './status.js';

export interface OperatorParts {
  cluster: string;
  controller: string;
  etcd: EtcdStore;
  nodes: NodeStore;
  blobs: BlobStore;
  members(): Promise<EtcdMember[]>;
  /** Names of all control nodes. */
  control: readonly string[];
  admin: EtcdAdminService;
  log: Logger;
}

export interface OperatorSide {
  service: OperatorServiceServer;
  /** Ends every watch. */
  stop(): void;
}

/** Name of the controller that leads; empty while nobody does. */
async function leaderOf(etcd: EtcdStore): Promise<string> {
  const entry = await etcd.get(keys.leader);
  return entry ? parseValue(keys.leader, entry.value, leaderShape).controller : '';
}

export function operatorSide(parts: OperatorParts): OperatorSide {
  const { cluster, controller, etcd, nodes, blobs, log } = parts;
  const watches = new Map<RolloutWatchCall, RolloutWatch>();
  const rollouts = new RolloutService(etcd);
  const planner = new RolloutPlanner(parts);

  /** A unary handler from an async function; `audit` writes who asked for what to the log. */
  function unary<Q, A>(name: string, answer: (request: Q) => Promise<A>, audit?: (request: Q) => object) {
    return (call: ServerUnaryCall<Q, A>, callback: sendUnaryData<A>): void => {
      if (audit)
        log.info(
          { operator: callerName(call), rpc: name, ...audit(call.request) },
          'an operator changes the cluster',
        );
      answer(call.request).then(
        (value) => callback(null, value),
        (error: unknown) => {
          log.warn({ rpc: name, err: error }, 'a call failed');
          callback(toServiceError(error));
        },
      );
    };
  }

  async function putBlobs(
    call: ServerReadableStream<PutBlobsRequest, PutBlobsResponse>,
  ): Promise<PutBlobsResponse> {
    let stored = 0;
    for await (const { sha256, gzip } of call as AsyncIterable<PutBlobsRequest>) {
      await blobs.put(sha256, gzip);
      stored += 1;
    }
    return { stored };
  }

  function watchRollout(call: RolloutWatchCall): void {
    rollouts.find(call.request.id).then(
      (rollout) => {
        if (call.cancelled) return;
        const watch = new RolloutWatch(rollout, call, { etcd, log });
        watches.set(call, watch);
        call.on('close', () => watches.delete(call));
      },
      (error: unknown) => call.emit('error', toServiceError(error)),
    );
  }

  const service: OperatorServiceServer = {
    getStatus: unary('GetStatus', async () => {
      const [all, apps, members, leader] = await Promise.all([
        nodes.all(),
        nodes.apps(),
        parts.members(),
        leaderOf(etcd),
      ]);
      return { cluster, controller, nodes: all, apps, etcd: members, leader };
    }),
    missingBlobs: unary('MissingBlobs', async ({ sha256 }) => {
      if (sha256.length > defaults.blobsPerRequest)
        throw new Problem('usage', 'Too many blobs in one request');
      return { sha256: await blobs.missing(sha256) };
    }),
    putBlobs: (call, callback) => {
      putBlobs(call).then(
        (value) => callback(null, value),
        (error: unknown) => callback(toServiceError(error)),
      );
    },
    planRollout: (call) => {
      const { targets, who, why } = call.request;
      const facts = { operator: callerName(call), nodes: targets.map(({ node }) => node), who, why };
      log.info(facts, 'an operator plans a rollout');
      void planner.plan(call);
    },
    startRollout: unary(
      'StartRollout',
      async ({ id }) => {
        await rollouts.start(id);
        return {};
      },
      (request) => request,
    ),
    watchRollout,
    listRollouts: unary('ListRollouts', async () => ({
      rollouts: (await rollouts.list()).map((rollout) => JSON.stringify(rollout)),
    })),
    steerRollout: unary(
      'SteerRollout',
      async (request) => {
        await rollouts.steer(request);
        return {};
      },
      (request) => request,
    ),
    planUndo: unary(
      'PlanUndo',
      async (request) => ({ rollout: JSON.stringify(await planner.planUndo(request)) }),
      (request) => request,
    ),
    registerNode: unary(
      'RegisterNode',
      async ({ node, ipv4, services }) => {
        await nodes.register(checkedName(node, 'node'), ipv4, services);
        return {};
      },
      (request) => request,
    ),
    removeNode: unary(
      'RemoveNode',
      async ({ node }) => {
        // A rollout may be about to order the node, and would write its keys again.
        const lock = await rollouts.lock();
        if (lock) throw lockedBy(lock);
        return { keys: await nodes.remove(checkedName(node, 'node')) };
      },
      (request) => request,
    ),
    reserveOverlay: unary(
      'ReserveOverlay',
      async ({ node, ipv4 }) => ({ subnet: await reserveOverlay(etcd, checkedName(node, 'node'), ipv4) }),
      (request) => request,
    ),
    snapshotEtcd: (call) => {
      log.info({ operator: callerName(call) }, 'an operator takes a snapshot of etcd');
      sendSnapshot(call, parts.admin).catch((error: unknown) => {
        log.warn({ rpc: 'SnapshotEtcd', err: error }, 'a call failed');
        call.emit('error', toServiceError(error));
      });
    },
    removeMember: unary(
      'RemoveMember',
      async ({ node, force }) => {
        await parts.admin.remove(checkedName(node, 'node'), force);
        return {};
      },
      (request) => request,
    ),
    addMember: unary(
      'AddMember',
      async ({ node, ipv4 }) => ({ initialCluster: await parts.admin.add(checkedName(node, 'node'), ipv4) }),
      (request) => request,
    ),
  };
  return {
    service,
    stop: () => {
      for (const [call, watch] of watches) {
        watch.close();
        call.emit(
          'error',
          toServiceError(
            new Problem('controller.unreachable', 'This controller shuts down'),
            status.UNAVAILABLE,
          ),
        );
      }
    },
  };
}
