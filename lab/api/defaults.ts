/** Every limit and interval of the lab's API, each with its reason. */
export const labApiDefaults = {
  /** Rows per page when the client names none; Hetzner's value, so that paging bugs show here as they would there. */
  perPage: 25,
  /** Largest page; a bigger `per_page` is cut to it. */
  maxPerPage: 50,
  /** Bytes of user data the real API accepts. */
  maxUserDataBytes: 32_768,
  /** Bytes of a request body: user data, escaped as JSON in the worst way, still fits. */
  maxBodyBytes: 1_048_576,
  /** Servers per project: far above a lab cluster, yet a run-away loop hits it before it hits the host's memory. */
  serverLimit: 50,
  /** Servers in one `spread` placement group; Hetzner's value. */
  placementGroupMembers: 10,
  /** Placement groups per project; Hetzner allows 50, the paging test of the reference needs 53. */
  placementGroupLimit: 100,
  /** Requests a project may burst, and per hour; Hetzner's value. */
  rateLimit: 3600,
  /** Requests a project gets back per second; Hetzner's value. */
  rateRefillPerSecond: 1,
  /** Finished actions kept in the state file: enough for any client still polling, small enough to rewrite each time. */
  keptActions: 2000,
  /** A list of servers asks the driver for their real state at most this often (ms), because pollers come in herds. */
  reconcileMs: 500,
  /** First id handed out: below 2^31 for clients that read Int32, above the catalogue's fixed ids. */
  firstId: 1000,
} as const;
