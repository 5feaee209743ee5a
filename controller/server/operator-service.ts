/** OperatorService: everything the command line asks for, answered from etcd, so that any controller can answer. */
import {
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type {
  EtcdMember,
  OperatorServiceServer,
  PutBlobsRequest,
  PutBlobsResponse,
  SetDesiredRequest,
  WatchNodeRequest,
  WatchNodeResponse,
} from '../../proto/gen/nixinfra/v1/operator.js';
import { Problem } from '../../shared/errors.js';
import type { EtcdStore, Watch } from '../../shared/etcd/store.js';
import { checkedName } from '../../shared/names.js';
import { controllerDefaults as defaults } from '../defaults.js';
import { type BlobStore, checkManifest } from '../store/blobs.js';
import { type NodeFacts, nodeState } from '../store/facts.js';
import { keys, parseNodeKey } from '../store/keys.js';
import { type NodeStore, withEntry } from '../store/nodes.js';
import { reserveOverlay } from '../store/overlay.js';
import { callerName } from './authorise.js';
import { toServiceError } from './status.js';

export interface OperatorParts {
  cluster: string;
  controller: string;
  etcd: EtcdStore;
  nodes: NodeStore;
  blobs: BlobStore;
  members(): Promise<EtcdMember[]>;
  log: Logger;
}

export interface OperatorSide {
  service: OperatorServiceServer;
  /** Ends every watch. */
  stop(): void;
}

export function operatorSide(parts: OperatorParts): OperatorSide {
  const { cluster, controller, etcd, nodes, blobs, log } = parts;
  const watches = new Set<ServerWritableStream<WatchNodeRequest, WatchNodeResponse>>();

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

  async function setDesired(request: SetDesiredRequest) {
    const node = checkedName(request.node, 'node');
    const manifest = checkManifest(node, request.manifest);
    const missing = await blobs.missing(manifest.files.map((file) => file.sha256));
    if (missing.length > 0) {
      const reason = `${missing.length} blobs are missing, the first is ${missing[0]}`;
      throw toServiceError(
        new Problem('bundle.invalid', 'The bundle is not complete', { where: node, reason }),
        status.FAILED_PRECONDITION,
      );
    }
    await blobs.putManifest(manifest);
    await nodes.setDesired(node, manifest.revision);
    return {};
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

  function watchNode(call: ServerWritableStream<WatchNodeRequest, WatchNodeResponse>): void {
    let node: string;
    try {
      node = checkedName(call.request.node, 'node');
    } catch (error) {
      call.emit('error', toServiceError(error));
      return;
    }
    let facts: NodeFacts = { name: node };
    let listed = false;
    const tell = () => {
      if (listed && !call.cancelled) call.write({ state: nodeState(facts) });
    };
    const learn = (what: string, entry: Parameters<typeof withEntry>[2]) => {
      try {
        facts = withEntry(facts, what, entry);
        tell();
      } catch (error) {
        log.warn({ node, err: error }, 'a value of the node is not readable');
      }
    };
    const open: Watch[] = [
      etcd.watchPrefix(keys.node(node), ({ key, entry }) => learn(parseNodeKey(key)?.what ?? '', entry)),
      etcd.watchPrefix(keys.clusterNode(node), ({ key, entry }) => {
        if (key === keys.clusterNode(node)) learn('registration', entry);
      }),
    ];
    watches.add(call);
    const close = () => {
      watches.delete(call);
      for (const watch of open) watch.close();
    };
    call.on('cancelled', close);
    call.on('error', close);
    call.on('close', close);
    void Promise.all(open.map((watch) => watch.ready)).then(() => {
      listed = true;
      tell();
    });
  }

  const service: OperatorServiceServer = {
    getStatus: unary('GetStatus', async () => {
      const [all, apps, members] = await Promise.all([nodes.all(), nodes.apps(), parts.members()]);
      return { cluster, controller, nodes: all, apps, etcd: members };
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
    setDesired: unary('SetDesired', setDesired, ({ node, manifest }) => ({
      node,
      revision: manifest?.revision,
    })),
    watchNode,
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
      async ({ node }) => ({ keys: await nodes.remove(checkedName(node, 'node')) }),
      (request) => request,
    ),
    reserveOverlay: unary(
      'ReserveOverlay',
      async ({ node, ipv4 }) => ({ subnet: await reserveOverlay(etcd, checkedName(node, 'node'), ipv4) }),
      (request) => request,
    ),
  };
  return {
    service,
    stop: () => {
      for (const call of watches)
        call.emit('error', toServiceError(new Error('this controller shuts down'), status.UNAVAILABLE));
    },
  };
}
