/** Every number of the controller, with its reason. Milliseconds unless the name says otherwise. */
export const controllerDefaults = {
  /** How often agents report health: fresh enough for a person who watches, one small etcd write per node. */
  healthIntervalMs: 5_000,
  /** Both ends ping, so that a cut cable is noticed within 15 s instead of never (gRPC's default). */
  keepaliveMs: 10_000,
  keepaliveTimeoutMs: 5_000,
  /** Largest message: a manifest of MAX_FILES entries is below 1 MB, a blob is below 1 MiB; the rest is head-room. */
  receiveBytes: 8 * 1024 * 1024,
  /** Largest blob, gzip. etcd refuses requests above 1.5 MB. */
  blobBytes: 1024 * 1024,
  /** Chunk of a blob on its way to an agent; small enough for flow control to work. */
  chunkBytes: 64 * 1024,
  /** Largest number of blobs in one request. */
  blobsPerRequest: 10_000,
  /** A stream that does not say Hello by then is closed. */
  helloMs: 10_000,
  /** From SIGTERM to exit; open streams get this long to end. */
  shutdownMs: 3_000,
  /** One etcd member's answer for `status`. A dead member must not make `status` slow. */
  memberMs: 1_500,
  /** Changes of a rollout within this time are told together: below what a person sees as a delay. */
  watchCoalesceMs: 50,
  /** A node without a session for this long is told to be away; a new connection takes a fraction of it. */
  awayMs: 3_000,
  /** Compare-and-set attempts for an overlay subnet; each lost one means another node took a subnet meanwhile. */
  overlayAttempts: 50,
  /** Longest wait until every haproxy has dropped an instance: confd and a reload take 0.2 s, an agent that looks for a new controller some seconds. */
  drainAckMs: 30_000,
  /** Longest wait until every haproxy serves an instance again: the same, and its checks, and a slow app. */
  routeMs: 60_000,
  /** A node without a session is waited for this long: its agent is looking for the next controller. */
  awayGraceMs: 5_000,
  /** After a failed call of etcd for a session. */
  writeRetryMs: 500,
  /** Attempts at a change of etcd's members: each goes to another of a few members, one of which is dead as a rule. */
  memberAttempts: 5,
  /** Largest value a node may have written for it. etcd refuses requests above 1.5 MB. */
  valueBytes: 1024 * 1024,
} as const;
