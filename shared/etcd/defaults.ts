/** Every number of the etcd client, with its reason. Milliseconds unless the name says otherwise. */
export const etcdDefaults = {
  /** One unary call. etcd answers in milliseconds; without a deadline a frozen leader holds a call for ever. */
  callMs: 3_000,
  /** Attempts after the first one, each at another member: two cover one dead member and one that is just electing. */
  retries: 2,
  /** Below 5 s etcd's own enforcement closes the connection. */
  keepaliveMs: 10_000,
  keepaliveTimeoutMs: 5_000,
  /** The default of gRPC grows to 120 s, which would be the outage after a short one. */
  reconnectMinMs: 200,
  reconnectMaxMs: 2_000,
  /** A listing comes in one message, and gRPC's own limit of 4 MiB is some hundred nodes' reports; etcd itself sets none on answers. */
  receiveBytes: 128 * 1024 * 1024,
  /** Lists again even when a watch looks healthy: bounds the life of any missed event. */
  resyncMs: 300_000,
  /** Lease of a daemon's keys, seconds: longer than an etcd election plus a few retries, short enough for a dead node. */
  leaseTtlS: 15,
  /** How often leased keys are compared with what they should be: a third of the lease. */
  verifyMs: 5_000,
  /** Back-off of the lease loop while etcd is away. */
  backoffMinMs: 250,
  backoffMaxMs: 5_000,
  /** The keys of all nodes are written anew within this time after an outage: a fifth of a lease, and etcd has hundreds of writes per second to spare. */
  returnSpreadMs: 3_000,
  /** Giving a lease back is a courtesy; its end comes by itself. */
  revokeMs: 1_000,
} as const;
