/** Times and sizes of the operator's connection. Milliseconds. */
export const operatorDefaults = {
  /** One call on one controller. Storing a bundle of some MB over a slow line takes the longest. */
  callMs: 20_000,
  /** As the controller's own: a cut cable is noticed within 15 s. */
  keepaliveMs: 10_000,
  keepaliveTimeoutMs: 5_000,
  /** As the controller's: the status of some hundred nodes fits. */
  receiveBytes: 8 * 1024 * 1024,
} as const;
