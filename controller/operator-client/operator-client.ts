/**
 * The operator's side of OperatorService. It tries the controllers in turn: any of them can answer, and the one in use
 * may go away in the middle of a deploy (it is deployed itself).
 */
import { X509Certificate } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import {
  type GetStatusResponse,
  type NodeState,
  OperatorServiceClient,
} from '../../proto/gen/nixinfra/v1/operator.js';
import { type ErrorCode, errorCatalogue } from '../../shared/error-catalogue.js';
import { Problem } from '../../shared/errors.js';
import { parsePrincipalUri } from '../../shared/names.js';
import type { Bundle } from '../project/bundle.js';
import { operatorDefaults as defaults } from './defaults.js';

export interface OperatorClientOptions {
  cluster: string;
  /** Every controller: node name and `address:port`. */
  controllers: readonly { name: string; address: string }[];
  /** What to trust: the CA's chain. */
  chainPem: string;
  keyPem: string;
  certPem: string;
}

/** What the convergence needs from the cluster; tests give it a fake. */
export interface Operator {
  getStatus(): Promise<GetStatusResponse>;
  /** The CIDR subnet of the node, reserved at the first call. */
  reserveOverlay(node: string, ipv4: string): Promise<string>;
  registerNode(node: string, ipv4: string, services: readonly string[]): Promise<void>;
  removeNode(node: string): Promise<void>;
  /** Puts the blobs that the cluster lacks, then makes the bundle the desired revision of its node. */
  setDesired(bundle: Bundle): Promise<void>;
  /** The node's state now and at every change, until `signal` or an error of the connection. */
  watchNode(node: string, signal: AbortSignal): AsyncIterable<NodeState>;
  close(): void;
}

type Unary<Request, Response> = (
  client: OperatorServiceClient,
  request: Request,
  deadline: Date,
  done: (error: ServiceError | null, response: Response) => void,
) => unknown;

/** Connects on the first call. Throws `controller.unreachable` when none of the controllers answers. */
export function createOperatorClient(options: OperatorClientOptions): Operator {
  return new OperatorClient(options);
}

class OperatorClient implements Operator {
  private current: { index: number; client: OperatorServiceClient } | undefined;
  private next = 0;

  constructor(private readonly options: OperatorClientOptions) {}

  getStatus(): Promise<GetStatusResponse> {
    return this.call(
      (client, _none: undefined, deadline, done) => client.getStatus({}, noMetadata(), { deadline }, done),
      undefined,
    );
  }

  async reserveOverlay(node: string, ipv4: string): Promise<string> {
    const { subnet } = await this.call(
      (client, request: { node: string; ipv4: string }, deadline, done: Done<{ subnet: string }>) =>
        client.reserveOverlay(request, noMetadata(), { deadline }, done),
      { node, ipv4 },
    );
    return subnet;
  }

  async registerNode(node: string, ipv4: string, services: readonly string[]): Promise<void> {
    await this.call(
      (client, request: { node: string; ipv4: string; services: string[] }, deadline, done: Done<object>) =>
        client.registerNode(request, noMetadata(), { deadline }, done),
      { node, ipv4, services: [...services] },
    );
  }

  async removeNode(node: string): Promise<void> {
    await this.call(
      (client, request: { node: string }, deadline, done: Done<object>) =>
        client.removeNode(request, noMetadata(), { deadline }, done),
      { node },
    );
  }

  async setDesired(bundle: Bundle): Promise<void> {
    const { sha256: missing } = await this.call(
      (client, request: { sha256: string[] }, deadline, done: Done<{ sha256: string[] }>) =>
        client.missingBlobs(request, noMetadata(), { deadline }, done),
      { sha256: [...bundle.contents.keys()] },
    );
    if (missing.length > 0)
      await this.call((client, blobs: readonly string[], deadline, done: Done<object>) => {
        const stream = client.putBlobs(noMetadata(), { deadline }, done);
        // gRPC keeps what the other side has not taken yet; a bundle is a few MB, so waiting for `drain` would gain nothing.
        for (const sha256 of blobs) {
          stream.write({ sha256, gzip: gzipSync(bundle.contents.get(sha256) ?? Buffer.alloc(0)) });
        }
        stream.end();
      }, missing);
    const manifest = { revision: bundle.revision, node: bundle.node, files: [...bundle.files] };
    await this.call(
      (client, request: { node: string; manifest: typeof manifest }, deadline, done: Done<object>) =>
        client.setDesired(request, noMetadata(), { deadline }, done),
      { node: bundle.node, manifest },
    );
  }

  async *watchNode(node: string, signal: AbortSignal): AsyncIterable<NodeState> {
    const stream = this.connected().client.watchNode({ node });
    const cancel = () => stream.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      for await (const { state } of stream) if (state) yield state;
    } catch (error) {
      if (signal.aborted) return;
      this.drop();
      throw toProblem(error);
    } finally {
      signal.removeEventListener('abort', cancel);
      stream.cancel();
    }
  }

  close(): void {
    this.current?.client.close();
    this.current = undefined;
  }

  /** Every call here may be repeated, so an unreachable controller means the next one. */
  private async call<Request, Response>(
    invoke: Unary<Request, Response>,
    request: Request,
  ): Promise<Response> {
    let last: unknown;
    for (let attempt = 0; attempt < this.options.controllers.length; attempt++) {
      const { client } = this.connected();
      const deadline = new Date(Date.now() + defaults.callMs);
      try {
        return await new Promise<Response>((resolve, reject) => {
          invoke(client, request, deadline, (error, response) => (error ? reject(error) : resolve(response)));
        });
      } catch (error) {
        last = error;
        this.drop();
        const code = (error as ServiceError).code;
        if (code !== status.UNAVAILABLE && code !== status.DEADLINE_EXCEEDED) break;
      }
    }
    throw toProblem(last);
  }

  private connected(): { index: number; client: OperatorServiceClient } {
    if (this.current) return this.current;
    const { controllers, chainPem, keyPem, certPem, cluster } = this.options;
    const index = this.next % controllers.length;
    const controller = controllers[index];
    if (!controller) throw new Problem('controller.unreachable', 'There is no control node yet');
    const tls = credentials.createSsl(Buffer.from(chainPem), Buffer.from(keyPem), Buffer.from(certPem), {
      checkServerIdentity: (_host, peer) => identityError(peer.raw, cluster),
    });
    const client = new OperatorServiceClient(controller.address, tls, {
      // The certificate names the node; its address may be one that no certificate can name.
      'grpc.ssl_target_name_override': controller.name,
      'grpc.max_receive_message_length': defaults.receiveBytes,
      'grpc.keepalive_time_ms': defaults.keepaliveMs,
      'grpc.keepalive_timeout_ms': defaults.keepaliveTimeoutMs,
      'grpc.use_local_subchannel_pool': 1,
    });
    this.current = { index, client };
    return this.current;
  }

  private drop(): void {
    this.close();
    this.next += 1;
  }
}

type Done<Response> = (error: ServiceError | null, response: Response) => void;

function noMetadata(): Metadata {
  return new Metadata();
}

/** A server is a controller of this cluster when its URI SAN says so, whatever its host name is. */
export function identityError(der: Buffer, cluster: string): Error | undefined {
  const names = new X509Certificate(der).subjectAltName ?? '';
  const principals = names.split(', ').flatMap((name) => {
    const principal = name.startsWith('URI:') ? parsePrincipalUri(name.slice(4)) : undefined;
    return principal ? [principal] : [];
  });
  const known = principals.some(({ kind, cluster: of }) => kind === 'controller' && of === cluster);
  return known ? undefined : new Error(`the certificate is not that of a controller of ${cluster}: ${names}`);
}

/** A failed call as the problem it was on the controller (metadata `nix-infra-code`), else by its status. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem || !(error instanceof Error)) return Problem.from(error);
  const { code, details, metadata } = error as ServiceError;
  const sent = metadata?.get('nix-infra-code')[0];
  if (typeof sent === 'string' && Object.hasOwn(errorCatalogue, sent)) {
    return new Problem(sent as ErrorCode, details || errorCatalogue[sent as ErrorCode].title, {
      cause: error,
    });
  }
  const unreachable = code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED;
  return Problem.from(error, unreachable ? 'controller.unreachable' : 'controller.refused', {
    reason: details || error.message,
  });
}
