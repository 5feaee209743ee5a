/** Times and sizes of the operator's connection. Milliseconds. */
export const operatorDefaults = {
  /** One call on one controller. Storing a bundle of some MB over a slow line takes the longest. */
  callMs: 20_000,
  /** A controller that does not even take the connection by then is gone or cut off; the next one is tried. */
  connectMs: 5_000,
  /**
   * How long a command goes on without an answer of any controller, where it must not end with the controller it speaks to: more than a
   * restart of all of them at once, and about what a person waits.
   */
  unansweredMs: 60_000,
  /** Between two rounds over all controllers; a controller that restarts is back within seconds. */
  retryMs: 500,
  /** As the controller's own: a cut cable is noticed within 15 s. */
  keepaliveMs: 10_000,
  keepaliveTimeoutMs: 5_000,
  /** The status of some hundred nodes, or the journals of all rollouts that are kept. */
  receiveBytes: 64 * 1024 * 1024,
  /** Blobs of one call (gzip), so that each call stays far below callMs on a slow line. */
  batchBytes: 4 * 1024 * 1024,
} as const;
