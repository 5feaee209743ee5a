/**
 * EtcdStore over the etcd3 package; only admin.ts beside it imports it too. Its faults are cured here:
 * a deadline on every unary call, `hasleader` on every stream, no circuit breaker, compare-and-set on a client that never retries.
 */
import { readFileSync } from 'node:fs';
import { InterceptingCall } from '@grpc/grpc-js';
import { ExponentialBackoff, handleWhen, noop, retry } from 'cockatiel';
import { Etcd3, type IKeyValue, type IOptions, isRecoverableError } from 'etcd3';
import { Problem } from '../errors.js';
import { etcdDefaults as defaults } from './defaults.js';
import { type Feed, type FeedHandlers, listWatch } from './list-watch.js';
import type {
  Change,
  Condition,
  Entry,
  EtcdConfig,
  EtcdLease,
  EtcdStore,
  Listing,
  Watch,
  Write,
} from './store.js';

type CallOptions = Exclude<NonNullable<IOptions['defaultCallOptions']>, (...args: never[]) => unknown>;

/** A member without quorum must say so instead of serving a watch that never changes. */
const hasLeader: NonNullable<CallOptions['interceptors']>[number] = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start: (metadata, listener, next) => {
      metadata.set('hasleader', 'true');
      next(metadata, listener);
    },
  });

/** How to speak to these members, with so many attempts after the first. */
export function clientOptions(config: EtcdConfig, retries: number): IOptions {
  const backoff = { initialDelay: defaults.reconnectMinMs, maxDelay: defaults.reconnectMaxMs };
  return {
    hosts: config.endpoints,
    credentials: {
      rootCertificate: readFileSync(config.ca),
      privateKey: readFileSync(config.key),
      certChain: readFileSync(config.cert),
    },
    defaultCallOptions: (call) =>
      call.isStream ? { interceptors: [hasLeader] } : { deadline: Date.now() + defaults.callMs },
    grpcOptions: {
      'grpc.max_receive_message_length': defaults.receiveBytes,
      'grpc.keepalive_time_ms': defaults.keepaliveMs,
      'grpc.keepalive_timeout_ms': defaults.keepaliveTimeoutMs,
      'grpc.initial_reconnect_backoff_ms': defaults.reconnectMinMs,
      'grpc.max_reconnect_backoff_ms': defaults.reconnectMaxMs,
    },
    faultHandling: {
      host: () => noop,
      global:
        retries === 0
          ? noop
          : retry(handleWhen(isRecoverableError), {
              maxAttempts: retries,
              backoff: new ExponentialBackoff(backoff),
            }),
      watchBackoff: new ExponentialBackoff(backoff).next(),
    },
  };
}

function toEntry(kv: IKeyValue): Entry {
  return {
    key: kv.key.toString(),
    value: kv.value,
    lease: kv.lease,
    modRevision: Number(kv.mod_revision),
    createRevision: Number(kv.create_revision),
  };
}

function toCompare(condition: Condition) {
  const key = Buffer.from(condition.key);
  return 'modRevision' in condition
    ? { key, target: 'Mod' as const, result: 'Equal' as const, mod_revision: condition.modRevision }
    : { key, target: 'Create' as const, result: 'Equal' as const, create_revision: condition.createRevision };
}

function toOperation(write: Write) {
  const key = Buffer.from(write.key);
  return write.do === 'delete'
    ? { request_delete_range: { key } }
    : { request_put: { key, value: Buffer.from(write.value), lease: write.lease ?? '0' } };
}

/** The smallest key after every key with this prefix; our prefixes end in ASCII, so the last byte never overflows. */
function prefixEnd(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end[end.length - 1] as number) + 1;
  return end;
}

async function told<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw Problem.from(error, 'etcd.unavailable');
  }
}

export function openEtcd(config: EtcdConfig): EtcdStore {
  const client = new Etcd3(clientOptions(config, defaults.retries));
  // etcd3 retries a transaction whose answer was lost and then reports its own write as a conflict.
  const once = new Etcd3(clientOptions(config, 0));

  async function get(key: string): Promise<Entry | undefined> {
    const { kvs } = await told(client.kv.range({ key: Buffer.from(key) }));
    return kvs[0] && toEntry(kvs[0]);
  }

  async function list(prefix: string, keysOnly = false): Promise<Listing> {
    const range = { key: Buffer.from(prefix), range_end: prefixEnd(prefix), keys_only: keysOnly };
    const { kvs, header } = await told(client.kv.range(range));
    return { entries: kvs.map(toEntry), revision: Number(header.revision) };
  }

  function feed(prefix: string, fromRevision: number, handlers: FeedHandlers): Feed {
    const watcher = client.watch().prefix(prefix).startRevision(String(fromRevision)).watcher();
    // The removed key's mod_revision is that of its removal.
    const tell = (kv: IKeyValue, entry: Entry | undefined) =>
      handlers.onChange({ key: kv.key.toString(), entry }, Number(kv.mod_revision));
    watcher.on('put', (kv) => tell(kv, toEntry(kv)));
    watcher.on('delete', (kv) => tell(kv, undefined));
    watcher.on('disconnected', () => handlers.onTrouble());
    watcher.on('error', () => handlers.onTrouble());
    // cancel() waits for an answer that may never come; nothing depends on it.
    return { close: () => void watcher.cancel().catch(() => undefined) };
  }

  async function transact(conditions: readonly Condition[], writes: readonly Write[]): Promise<boolean> {
    const request = { compare: conditions.map(toCompare), success: writes.map(toOperation) };
    // Without a condition it comes to the same when it is done twice.
    const by = conditions.length === 0 ? client : once;
    return (await told(by.kv.txn(request))).succeeded;
  }

  async function compareAndSet(key: string, expected: number, value: string | undefined): Promise<boolean> {
    try {
      const write: Write = value === undefined ? { do: 'delete', key } : { do: 'put', key, value };
      if (await transact([{ key, modRevision: expected }], [write])) return true;
    } catch {
      // The answer is unknown: what the key holds now decides.
    }
    const now = await get(key);
    return value === undefined ? now === undefined : now?.value.toString() === value;
  }

  return {
    get,
    getPrefix: (prefix, options) => list(prefix, options?.keysOnly),
    put: async (key, value, lease) => {
      await told(client.kv.put({ key: Buffer.from(key), value: Buffer.from(value), lease: lease ?? '0' }));
    },
    delete: async (key) => Number((await told(client.kv.deleteRange({ key: Buffer.from(key) }))).deleted),
    deletePrefix: async (prefix) => {
      const range = { key: Buffer.from(prefix), range_end: prefixEnd(prefix) };
      return Number((await told(client.kv.deleteRange(range))).deleted);
    },
    compareAndSet,
    transact,
    grant: (ttl) => grant(client, ttl),
    watchPrefix: (
      prefix: string,
      onChange: (change: Change) => void,
      onRevision?: (revision: number) => void,
    ): Watch =>
      listWatch(
        {
          list: () => list(prefix),
          feed: (from, handlers) => feed(prefix, from, handlers),
          resyncMs: defaults.resyncMs,
          retryMs: defaults.reconnectMinMs,
        },
        onChange,
        onRevision,
      ),
    memberStatus: async () => {
      const status = await told(client.maintenance.status());
      return { member: status.header.member_id, leader: status.leader };
    },
    close: () => {
      client.close();
      once.close();
    },
  };
}

async function grant(client: Etcd3, ttlSeconds: number): Promise<EtcdLease> {
  // The deadline reaches the grant alone, not the stream that keeps the lease alive; that is what we want.
  const lease = client.lease(ttlSeconds, { deadline: Date.now() + defaults.callMs });
  const lost = new Promise<void>((resolve) => {
    // `on`, not `once`: etcd3 may tell the loss twice, and the second one must find a listener too.
    lease.on('lost', () => resolve());
  });
  const id = await told(lease.grant());
  return {
    id,
    lost,
    release: () => lease.release(),
    revoke: async () => {
      await lease.revoke({ deadline: Date.now() + defaults.revokeMs }).catch(() => undefined);
    },
  };
}
