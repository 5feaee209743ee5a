/** Every lifetime and wait of the certificate authority, each with its reason. */
export const pkiDefaults = {
  /** Days the root lives: as the predecessor's; replacing it means touching every node, so it outlives the cluster. */
  rootDays: 7300,
  /** Days the intermediate lives: as the predecessor's; half of the root's, so a renewal never meets an ended root. */
  intermediateDays: 3650,
  /** Days a leaf lives: a cluster that nobody deploys to must not fall over within months, a lost key must not live for years. */
  leafDays: 365,
  /** A leaf is made again when less than this part of its life is left: three missed renewals are still no outage. */
  renewBelow: 1 / 3,
  /** Certificates are valid from this long ago (ms), because the clock of a fresh machine may be behind ours. */
  clockSkewMs: 10 * 60_000,
  /** How long to wait for another process that holds the lock (ms): it needs well under a second per certificate. */
  lockWaitMs: 30_000,
  /** A lock whose owner cannot be asked is stale after this long (ms); the predecessor's value, as it uses the same file. */
  lockStaleMs: 10_000,
  /** Look again at a held lock after this long (ms): below what a person notices. */
  lockPollMs: 25,
} as const;
