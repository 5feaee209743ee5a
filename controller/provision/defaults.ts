/** Every wait, limit and retry of the provision room, each with its reason. */
export const provisionDefaults = {
  /** Hetzner's API. HCLOUD_ENDPOINT replaces it. */
  endpoint: 'https://api.hetzner.cloud/v1',
  /** One request may take this long (ms): the real API answers within a second, a create within five. */
  requestTimeoutMs: 30_000,
  /** Requests to the cloud at once: enough for a cluster, few enough not to look like an attack. */
  parallelRequests: 8,
  /** Rows per page; the most Hetzner gives. */
  perPage: 50,
  /** Pages of one list: more than any project has, so that a `next_page` that never ends is an error and no loop. */
  maxPages: 200,
  /** Attempts of a request that failed for a passing reason. */
  attempts: 6,
  /** First pause between attempts (ms); doubles each time, with jitter. */
  retryBaseMs: 500,
  /** Longest pause between attempts (ms). */
  retryMaxMs: 15_000,
  /** How long a busy object (`locked`, `conflict`) is asked again (ms): a server that boots is locked for about a minute. */
  busyMs: 180_000,
  /** How long a rate limit is waited out (ms); the bucket gets one request back per second. */
  rateLimitMs: 300_000,
  /** Ids per call when polling actions; upstream's own clients take as many. */
  actionsPerPoll: 25,
  /** Pauses between polls (ms), the last one repeats: quick for the lab, within 3600 requests an hour for the cloud. */
  pollMs: [500, 1000, 2000, 5000],
  /** How long actions and boots may take (ms): a rescue of a slow cloud, not a normal time. */
  actionMs: 600_000,

  /** One attempt to connect over SSH, handshake included (ms). */
  sshAttemptMs: 10_000,
  /** First pause between attempts (ms); doubles each time, with jitter, so that seven nodes do not knock in step. */
  sshRetryBaseMs: 250,
  /** Longest pause between attempts (ms): a machine that is up should not wait long to be noticed. */
  sshRetryMaxMs: 2000,
  /** How long a wrong host key is looked at again (ms): sshd may answer before cloud-init has put ours in place. */
  hostKeyGraceMs: 20_000,
  /** How long a refused login is tried again (ms): cloud-init writes authorized_keys right after the host key. */
  authGraceMs: 5000,
  /** A silent connection is asked for a sign of life this often (ms). */
  keepaliveMs: 5000,
  /** Unanswered signs of life until the connection counts as dead: 20 s outlast a restart of the node's network. */
  keepaliveMissed: 4,
  /** Commands at once on one connection: sshd's MaxSessions is 10. */
  execsAtOnce: 8,
  /** Bytes kept of each output stream of a command, the last ones: a build log must not fill our memory. */
  outputBytes: 8 * 1024 * 1024,
  /** Lines of output that an error carries. */
  errorLines: 20,
} as const;
