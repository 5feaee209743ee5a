/** Times of the convergence, each with its reason. Milliseconds. */
export const upDefaults = {
  /** From power-on until sshd answers. A cloud server takes 20 to 60 s; an installer may reboot once more. */
  bootMs: 300_000,
  /** For a command on a node that is up already; a person waits for it. */
  reachMs: 30_000,
  /** First `nixos-rebuild switch` of a node: downloads a system of about 1 GB. */
  bootstrapMs: 1_800_000,
  /** From the last control node's switch until a controller has a quorum of etcd and answers. */
  controllerMs: 120_000,
  /** From a node's switch until its agent holds a session. It retries with at most some 10 s between attempts. */
  agentMs: 120_000,
  /** How long `up` waits for a rollout of somebody else, or one of its own that was interrupted: some minutes for a few nodes. */
  lockWaitMs: 600_000,
  /** How often a person's terminal is drawn while nothing happens, so that elapsed times move. */
  frameMs: 250,
  /** An agent that is connected tells what it runs within a second; one that cannot say (switched by hand) is taken as it is. */
  revisionMs: 10_000,
  /** How often a state is asked for while waiting; a call costs a controller some reads of etcd. */
  pollMs: 500,
  /** Commands of a person on a node: as long as they like, within a day. */
  commandMs: 86_400_000,
} as const;
