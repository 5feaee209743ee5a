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
  /** Compare-and-set attempts for an overlay subnet; each lost one means another node took a subnet meanwhile. */
  overlayAttempts: 50,
} as const;
