/** The connection to whichever controller answers. Any of them can, and the one in use may go away in the middle of a deploy. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  type ChannelCredentials,
  type ClientReadableStream,
  connectivityState,
  type ServiceError,
} from '@grpc/grpc-js';
import { OperatorServiceClient } from '../../proto/gen/nixinfra/v1/operator.js';
import { Problem } from '../../shared/errors.js';
import { operatorDefaults } from './defaults.js';
import { isPassing, toProblem } from './problems.js';

export interface ConnectionOptions {
  /** Every controller: node name and `address:port`. */
  controllers: readonly { name: string; address: string }[];
  credentials: ChannelCredentials;
  /** For tests that do not want to wait as long. */
  times?: Partial<Record<'connectMs' | 'unansweredMs' | 'retryMs' | 'callMs', number>>;
}

export type Unary<Request, Response> = (
  client: OperatorServiceClient,
  request: Request,
  deadline: Date,
  done: (error: ServiceError | null, response: Response) => void,
) => unknown;

export interface CallOptions {
  /** Goes on for `unansweredMs` while no controller answers, instead of asking each once. */
  patient?: boolean;
}

export interface StreamOptions<Message> {
  signal: AbortSignal;
  /** True for the message after which nothing more is to come: an end without it is a controller that went away. */
  isLast: (message: Message) => boolean;
}

export class Connection {
  private current: OperatorServiceClient | undefined;
  private next = 0;
  private readonly times;

  constructor(private readonly options: ConnectionOptions) {
    this.times = { ...operatorDefaults, ...options.times };
  }

  /** Makes a call that may be repeated: an unreachable controller means the next one. */
  async call<Request, Response>(
    invoke: Unary<Request, Response>,
    request: Request,
    { patient = false }: CallOptions = {},
  ): Promise<Response> {
    const begin = performance.now();
    for (let attempt = 1; ; attempt++) {
      try {
        const client = await this.connected();
        const deadline = new Date(Date.now() + this.times.callMs);
        return await new Promise<Response>((resolve, reject) => {
          invoke(client, request, deadline, (error, response) => (error ? reject(error) : resolve(response)));
        });
      } catch (error) {
        this.close();
        const over = patient
          ? performance.now() - begin > this.times.unansweredMs
          : attempt >= this.options.controllers.length;
        if (over || !isPassing(error)) throw toProblem(error);
        if (attempt % this.options.controllers.length === 0) await delay(this.times.retryMs);
      }
    }
  }

  /**
   * The messages of a stream, which is opened again on another controller when the one in use goes away. The first message after that
   * need not follow from the last before it. Ends after the last message or with the signal; throws when no controller answered for
   * `unansweredMs`, or one refused.
   */
  async *stream<Message>(
    open: (client: OperatorServiceClient) => ClientReadableStream<Message>,
    { signal, isLast }: StreamOptions<Message>,
  ): AsyncIterable<Message> {
    let answered = performance.now();
    for (let attempt = 1; !signal.aborted; attempt++) {
      let failure: unknown = new Problem('controller.unreachable', 'The controller ended the stream');
      try {
        for await (const message of this.messages(open, signal)) {
          answered = performance.now();
          yield message;
          if (isLast(message)) return;
        }
      } catch (error) {
        failure = error;
      }
      if (signal.aborted) return;
      this.close();
      if (!isPassing(failure) || performance.now() - answered > this.times.unansweredMs)
        throw toProblem(failure);
      // The next one at once, but never a busy loop over controllers that end every stream.
      if (attempt % this.options.controllers.length === 0) {
        await delay(this.times.retryMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** The next use connects again, to the next controller. */
  close(): void {
    if (!this.current) return;
    this.current.close();
    this.current = undefined;
    this.next += 1;
  }

  private async *messages<Message>(
    open: (client: OperatorServiceClient) => ClientReadableStream<Message>,
    signal: AbortSignal,
  ): AsyncIterable<Message> {
    const stream = open(await this.connected());
    const cancel = () => stream.cancel();
    // The end of a cancelled stream is an error that nobody waits for any more.
    stream.on('error', () => undefined);
    signal.addEventListener('abort', cancel, { once: true });
    try {
      for await (const message of stream) yield message as Message;
    } finally {
      signal.removeEventListener('abort', cancel);
      stream.cancel();
    }
  }

  /** A client that is connected, or whose first call says at once why it is not. */
  private async connected(): Promise<OperatorServiceClient> {
    if (!this.current) this.current = this.client();
    const channel = this.current.getChannel();
    const deadline = Date.now() + this.times.connectMs;
    for (;;) {
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY || state === connectivityState.TRANSIENT_FAILURE)
        return this.current;
      const changed = await new Promise<boolean>((resolve) => {
        channel.watchConnectivityState(state, deadline, (error) => resolve(error === undefined));
      });
      if (!changed || Date.now() > deadline) {
        throw new Problem('controller.unreachable', 'No controller answers', {
          reason: `${channel.getTarget()} does not take the connection`,
        });
      }
    }
  }

  private client(): OperatorServiceClient {
    const { controllers, credentials } = this.options;
    const controller = controllers[this.next % controllers.length];
    if (!controller) throw new Problem('controller.unreachable', 'There is no control node yet');
    return new OperatorServiceClient(controller.address, credentials, {
      // The certificate names the node; its address may be one that no certificate can name.
      'grpc.ssl_target_name_override': controller.name,
      'grpc.max_receive_message_length': operatorDefaults.receiveBytes,
      'grpc.keepalive_time_ms': operatorDefaults.keepaliveMs,
      'grpc.keepalive_timeout_ms': operatorDefaults.keepaliveTimeoutMs,
      'grpc.use_local_subchannel_pool': 1,
    });
  }
}
