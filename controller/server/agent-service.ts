/** AgentService: one session per node, the newer one wins, here and across controllers. */
import { type ServerWritableStream, status } from '@grpc/grpc-js';
import type {
  AgentServiceServer,
  FetchBlobsRequest,
  FetchBlobsResponse,
} from '../../proto/gen/nixinfra/v1/agent.js';
import { Problem } from '../../shared/errors.js';
import { LeasedKeys } from '../../shared/etcd/leased-keys.js';
import { PROTOCOL_VERSION } from '../../shared/protocol.js';
import { controllerDefaults as defaults } from '../defaults.js';
import { MeshView } from '../mesh/mesh-view.js';
import { keys, parseNodeKey } from '../store/keys.js';
import { callerName } from './authorise.js';
import { type AgentStream, NodeSession, type SessionParts } from './node-session.js';
import { beginOf, isNewer, renderClaim } from './session-claim.js';
import { toServiceError } from './status.js';

const superseded = 'the node has a newer session at another controller';

interface Held {
  session: NodeSession;
  stream: AgentStream;
}

export interface AgentSide {
  service: AgentServiceServer;
  /** Ends every session and gives their keys back. */
  stop(): Promise<void>;
}

export function agentSide(parts: Omit<SessionParts, 'mesh' | 'onSuperseded'>): AgentSide {
  const { log } = parts;
  const mesh = new MeshView(parts.etcd, log);
  const held = new Map<string, Held>();
  /** The stream of each node that said Hello last. */
  const newest = new Map<string, AgentStream>();
  const leased = new LeasedKeys(parts.etcd, {
    deletesForeign: false,
    yieldsTo: (key, other) => {
      const mine = held.get(parseNodeKey(key)?.node ?? '');
      return mine !== undefined && isNewer(other, mine.session.claim.sinceMs);
    },
    onYield: (key) => end(parseNodeKey(key)?.node ?? '', superseded),
    onTrouble: (error) => log.warn({ err: error }, 'session keys are not under a lease'),
  });

  function end(node: string, reason: string): void {
    const former = held.get(node);
    if (!former) return;
    held.delete(node);
    former.session.close();
    leased.set(keys.session(node), undefined);
    former.stream.emit('error', Object.assign(new Error(reason), { code: status.ABORTED, details: reason }));
  }

  async function open(
    node: string,
    stream: AgentStream,
    hello: Parameters<NodeSession['start']>[0],
  ): Promise<NodeSession> {
    if (hello.protocolVersion !== PROTOCOL_VERSION) {
      const reason = `the agent speaks version ${hello.protocolVersion}, this controller ${PROTOCOL_VERSION}`;
      throw new Problem('agent.version', 'Agent and controller do not speak the same protocol', {
        node,
        reason,
      });
    }
    newest.set(node, stream);
    const former = await parts.etcd.get(keys.session(node));
    if (stream.cancelled || newest.get(node) !== stream)
      throw new Error('the agent dialled in anew meanwhile');
    end(node, 'the node opened a newer session');
    const claim = { controller: parts.controller, sinceMs: beginOf(former?.value.toString(), Date.now()) };
    const session: NodeSession = new NodeSession(node, claim, stream, {
      ...parts,
      mesh,
      onSuperseded: () => {
        if (held.get(node)?.session === session) end(node, superseded);
      },
    });
    held.set(node, { session, stream });
    leased.set(keys.session(node), renderClaim(claim));
    log.info({ node, agentVersion: hello.agentVersion, revision: hello.revision }, 'an agent dialled in');
    await session.start(hello);
    return session;
  }

  function session(stream: AgentStream): void {
    const node = callerName(stream);
    let mine: NodeSession | undefined;
    let opening = false;
    const impatience = setTimeout(
      () => fail(new Problem('usage', 'The first message must be a Hello')),
      defaults.helloMs,
    );

    function forget(): void {
      clearTimeout(impatience);
      if (newest.get(node) === stream) newest.delete(node);
      const current = held.get(node);
      if (current?.stream !== stream) return;
      held.delete(node);
      current.session.close();
      leased.set(keys.session(node), undefined);
      log.info({ node }, 'the session ended');
    }
    function fail(error: unknown): void {
      log.warn({ node, err: error }, 'a session was refused or broke');
      forget();
      stream.emit('error', toServiceError(error));
    }

    stream.on('data', ({ event }) => {
      if (event?.$case === 'hello' && !opening) {
        opening = true;
        clearTimeout(impatience);
        open(node, stream, event.value).then((opened) => {
          mine = opened;
        }, fail);
      } else if (event && event.$case !== 'hello' && opening) {
        // Events that arrive while the session opens belong to it too.
        (mine ?? held.get(node)?.session)?.take(event);
      } else {
        fail(new Problem('usage', 'The first message must be a Hello, and there is one only', { node }));
      }
    });
    stream.on('end', () => {
      forget();
      stream.end();
    });
    stream.on('cancelled', forget);
    stream.on('error', forget);
  }

  /** A node reads the files of what it shall run or prepare. */
  async function readableBlobs(node: string): Promise<Set<string>> {
    const [desired, prepare] = await Promise.all([parts.nodes.desired(node), parts.nodes.prepare(node)]);
    const manifests = await Promise.all(
      [desired, prepare].map((order) => order && parts.blobs.getManifest(order.revision)),
    );
    return new Set(manifests.flatMap((manifest) => manifest?.files.map((file) => file.sha256) ?? []));
  }

  async function sendBlobs(call: ServerWritableStream<FetchBlobsRequest, FetchBlobsResponse>): Promise<void> {
    const node = callerName(call);
    const wanted = call.request.sha256;
    if (wanted.length > defaults.blobsPerRequest)
      throw new Problem('usage', 'Too many blobs in one request', { node });
    const mayRead = await readableBlobs(node);
    for (const sha256 of wanted) {
      // A node reads its own files and no other node's.
      const gzip = mayRead.has(sha256) ? await parts.blobs.get(sha256) : undefined;
      if (!gzip)
        throw toServiceError(
          new Error(`blob ${sha256.slice(0, 64)} is not of a revision that the node shall run or prepare`),
          status.NOT_FOUND,
        );
      for (let at = 0; at < gzip.length; at += defaults.chunkBytes) {
        const chunk = gzip.subarray(at, at + defaults.chunkBytes);
        const more = call.write({ sha256, chunk, last: at + defaults.chunkBytes >= gzip.length });
        if (!more && !call.cancelled) {
          await new Promise<void>((resolve) => {
            call.once('drain', resolve);
            call.once('cancelled', resolve);
          });
        }
        if (call.cancelled) return;
      }
    }
    call.end();
  }

  return {
    service: {
      session,
      fetchBlobs: (call) => {
        sendBlobs(call).catch((error: unknown) => call.emit('error', toServiceError(error)));
      },
    },
    stop: async () => {
      for (const { session: one, stream } of held.values()) {
        one.close();
        const reason = 'this controller shuts down';
        stream.emit('error', Object.assign(new Error(reason), { code: status.UNAVAILABLE, details: reason }));
      }
      held.clear();
      mesh.close();
      await leased.stop('revoke');
    },
  };
}
