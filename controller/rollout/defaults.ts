/** Every number of rollouts and of the election, with its reason. Milliseconds unless the name says otherwise. */
export const rolloutDefaults = {
  /** One node of a group at a time: the smallest step there is. */
  maxUnavailable: 1,
  /** A request may take this long to end after its instance left the mesh; haproxy's old process goes after 30 s at the latest. */
  drainMs: 30_000,
  /** Switching (at most some 10 s), settling, a new connection, and a change of leader or of etcd's leader in between. */
  confirmMs: 120_000,
  /** More than confirmMs and a boot: a node that was cut off is back on its old system by then, and says so. */
  unreachableMs: 240_000,
  /** Some hundred nodes at half a minute each would need more: then it is said. */
  deadlineMs: 3_600_000,
  /** The way back may take this long after the deadline or a failure before it is called failed: a node needs about a minute. */
  undoMs: 1_800_000,
  /** Nodes build at the same time; a large closure over a slow line takes minutes. */
  prepareMs: 3_600_000,
  /** What a proof takes beside settling: a login, a new connection, the confirmation. */
  proveMs: 4_000,
  /** A node that is away this long while it prepares ends the plan: its agent reconnects within seconds. */
  prepareAwayMs: 30_000,
  /** Files and packages of one node that a plan names; more are counted. */
  linesKept: 60,
  /** Nodes in one rollout: a start is one transaction with a condition for each, and etcd takes 128 of them. */
  nodesMost: 120,
  /** How often the leader forgets old plans and rollouts. */
  tidyMs: 600_000,
  /** A plan that nobody started is forgotten after this. */
  planKeptMs: 3_600_000,
  /** Ended rollouts that are kept, newest first: enough to see a week of daily work. */
  rolloutsKept: 50,
  /** Lease of the leader, seconds. etcd takes a lease away 0 to 1 s late, and a successor must act within 10 s. */
  leaderTtlS: 5,
  /** Between two looks when nothing tells of a change: bounds how late a deadline is noticed. */
  tickMs: 1_000,
  /** Tries of a transaction whose answer may have been lost: each may meet another member of etcd, of which one may be dead. */
  writeAttempts: 4,
  /** After a failed call of etcd. */
  retryMs: 500,
} as const;
