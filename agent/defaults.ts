/** Every number of the agent, with its reason. Milliseconds unless the name says otherwise. */
export const agentDefaults = {
  /** One attempt to reach a controller; a living one answers in tens of milliseconds, a cut one never. */
  connectMs: 3_000,
  /** A controller that accepts the stream but does not say Welcome is as good as gone. */
  welcomeMs: 5_000,
  /** First and longest pause before the next controller; jittered, so that a restart is not a stampede. */
  backoffMinMs: 200,
  backoffMaxMs: 3_000,
  /** Both ends ping: a cut cable is noticed within 15 s instead of never (gRPC's default). */
  keepaliveMs: 10_000,
  keepaliveTimeoutMs: 5_000,
  /** Largest message either way, as the controller's. */
  receiveBytes: 8 * 1024 * 1024,
  /** Until the first Welcome names another one. */
  healthIntervalMs: 5_000,
  /** Attempts to fetch files before a revision is given up, and the pause between: outlasts a change of controller. */
  fetchAttempts: 8,
  fetchRetryMs: 1_000,
  /** Blobs asked for in one call. */
  blobsPerRequest: 500,
  /** After this a failed revision is tried again when the agent connects anew; before, its known result is repeated. */
  retryFailedMs: 60_000,
  /** From deleting an instance's key to touching its unit. confd renders and haproxy reloads in under 200 ms; the rest is slack. */
  drainMs: 1_500,
  /** Longest wait for etcd to confirm the deletion; without etcd a deploy must still be possible. */
  drainConfirmMs: 5_000,
  /** After the switch: never judged before, so that a unit that dies right after its start is seen. */
  settleMinMs: 1_000,
  /** After the switch: apps have this long, or their own start grace when that is longer. */
  settleMs: 60_000,
  /** Looks at a running build or switch this often. */
  unitPollMs: 200,
  /** A build that takes longer is stuck; a large closure over a slow line takes minutes. */
  buildMs: 3_600_000,
  /** A switch that takes longer is stuck; systemd's own stop timeout is 90 s per unit. */
  switchMs: 1_200_000,
  /** A transient unit that is neither running nor has written its exit code for this long was cut off. */
  unitGoneMs: 3_000,
  /** How often the apps' units are looked at: the bound for "unit stopped, key gone". */
  unitWatchMs: 500,
  /** How often the folder of declared apps is read again; a switch reads it at once. */
  rescanMs: 5_000,
  /** Longest life of any helper command (`systemctl show`). */
  commandMs: 10_000,
  /** Lines of a log in a result: a Nix error with its trace fits. */
  logLines: 40,
  /** Length of one such line, characters. */
  logLineChars: 500,
  /** Instance lease, seconds: haproxy's own check takes a dead backend out long before. */
  leaseTtlS: 15,

  // The mesh: what the node's haproxy serves.
  /** How often haproxy is asked: bounds how late a drop is known, and costs it less than a millisecond. */
  meshPollMs: 250,
  /** One answer of haproxy; it takes milliseconds, also with 1,000 backends. */
  meshReadMs: 2_000,
  /** Largest answer: 450 bytes per server, so some 18,000 servers. */
  meshReadBytes: 8 * 1024 * 1024,
  /** A haproxy that does not answer for this long is gone; a restart takes less. */
  meshGoneMs: 1_000,
} as const;
