/** One connection to one controller: dial, say Hello, pass messages both ways, until something ends it. */
import { readFileSync } from 'node:fs';
import { type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import {
  AgentServiceClient,
  type Hello,
  type SessionRequest,
  type SessionResponse,
} from '../../proto/gen/nixinfra/v1/agent.js';
import { serverMustBe } from '../../shared/identity.js';
import type { AgentConfig } from '../config.js';
import { agentDefaults as defaults } from '../defaults.js';

export type Event = NonNullable<SessionRequest['event']>;
export type Command = NonNullable<SessionResponse['command']>;

export interface Link {
  send(event: Event): void;
  /** Blobs in the order asked for, as gzip. Throws when the link breaks or the controller lacks one. */
  fetch(hashes: string[]): AsyncGenerator<{ sha256: string; gzip: Uint8Array }>;
}

export interface LinkHandlers {
  onOpen(link: Link): void;
  onCommand(command: Command): void;
}

function dial(config: AgentConfig, controller: string): AgentServiceClient {
  // Read at every dial: a renewed certificate is used from the next connection on.
  const { ca, cert, key } = config.tls;
  const secure = credentials.createSsl(readFileSync(ca), readFileSync(key), readFileSync(cert), {
    checkServerIdentity: serverMustBe(config.cluster, 'controller'),
  });
  return new AgentServiceClient(controller, secure, {
    'grpc.keepalive_time_ms': defaults.keepaliveMs,
    'grpc.keepalive_timeout_ms': defaults.keepaliveTimeoutMs,
    'grpc.max_receive_message_length': defaults.receiveBytes,
    // A channel shared with the link before would bring its back-off along.
    'grpc.use_local_subchannel_pool': 1,
  });
}

async function* fetchBlobs(
  client: AgentServiceClient,
  sha256: string[],
): AsyncGenerator<{ sha256: string; gzip: Uint8Array }> {
  const call = client.fetchBlobs({ sha256 });
  let chunks: Uint8Array[] = [];
  for await (const { sha256: hash, chunk, last } of call as AsyncIterable<{
    sha256: string;
    chunk: Uint8Array;
    last: boolean;
  }>) {
    chunks.push(chunk);
    if (!last) continue;
    yield { sha256: hash, gzip: Buffer.concat(chunks) };
    chunks = [];
  }
}

/** Runs one connection to its end and tells why it ended; never rejects. */
export function runLink(
  config: AgentConfig,
  controller: string,
  hello: Hello,
  handlers: LinkHandlers,
  /** Ends the connection, also while it is being made. */
  signal: AbortSignal,
): Promise<string> {
  const client = dial(config, controller);
  return new Promise((resolve) => {
    let stream: ClientDuplexStream<SessionRequest, SessionResponse> | undefined;
    let timer: NodeJS.Timeout | undefined;
    let ended = false;
    const end = (reason: string) => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      stream?.cancel();
      client.close();
      resolve(reason);
    };
    if (signal.aborted) return end('closed');
    signal.addEventListener('abort', () => end('closed'), { once: true });
    const link: Link = {
      send: (event) => {
        // What does not fit is not queued: health comes again, the result is repeated on the next connection.
        if (!ended && stream?.writable) stream.write({ event });
      },
      fetch: (hashes) => fetchBlobs(client, hashes),
    };
    client.waitForReady(Date.now() + defaults.connectMs, (error) => {
      if (ended) return;
      if (error) return end(`no connection: ${error.message}`);
      timer = setTimeout(() => end('no Welcome'), defaults.welcomeMs);
      stream = client.session();
      stream.on('error', (reason) => end(reason.message));
      stream.on('end', () => end('the controller ended the session'));
      stream.on('data', ({ command }: SessionResponse) => {
        if (!command) return;
        if (command.$case === 'welcome') {
          clearTimeout(timer);
          handlers.onOpen(link);
        }
        handlers.onCommand(command);
      });
      link.send({ $case: 'hello', value: hello });
    });
  });
}
