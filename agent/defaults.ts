/** Every number of the agent, with its reason. Milliseconds unless the name says otherwise. */
export const agentDefaults = {
  /** One attempt to reach a controller; a living one answers in tens of milliseconds, a cut one never, and the next one waits. */
  connectMs: 2_000,
  /** A controller that accepts the stream but does not say Welcome is as good as gone. */
  welcomeMs: 5_000,
  /** First and longest pause before the next controller; jittered, so that a restart is not a stampede. */
  backoffMinMs: 200,
  backoffMaxMs: 3_000,
  /**
   * Both ends ping: a controller that was cut is noticed within 5 s instead of never (gRPC's default). A leader that takes over within
   * 10 s must find the agents on its side by then.
   */
  keepaliveMs: 3_000,
  keepaliveTimeoutMs: 2_000,
  /** Largest message either way, as the controller's. */
  receiveBytes: 8 * 1024 * 1024,
  /** Until the first Welcome names another one. */
  healthIntervalMs: 5_000,
  /** Between two health reports until it is noted what was applied here; a bootstrap waits for that. */
  unnotedMs: 500,
  /** Attempts to fetch files before a revision is given up, and the pause between: outlasts a change of controller. */
  fetchAttempts: 8,
  fetchRetryMs: 1_000,
  /** Blobs asked for in one call. */
  blobsPerRequest: 500,
  /** Results of the last orders that are kept to be told again: the way to a revision and back, with room. */
  resultsKept: 8,
  /** Built revisions that are kept beside /etc/nixos: what runs, what is planned, and one plan that was dropped. */
  stagedKept: 3,
  /** From deleting an instance's key until every subscribed haproxy has it. confd renders and haproxy reloads in under 200 ms. */
  drainAckMs: 20_000,
  /** Longest wait for open requests: haproxy's old process goes after 30 s at the latest. */
  drainMs: 30_000,
  /** How often the connections of a drained instance are counted. */
  drainPollMs: 100,
  /** Longest wait for etcd to confirm that a key is gone; without it nothing leaves the mesh, and the order is rejected. */
  drainConfirmMs: 5_000,
  /** Units and apps must stay well this long: longer than 5 s, so that a program that dies of its first time-out is seen. */
  settleMs: 6_000,
  /** The same where no unit was started or restarted: then there is only the reload of a daemon to go wrong. */
  settleQuietMs: 1_000,
  /** The watchdog goes back after this: a switch of some 10 s, settling, a new connection and a change of leader fit. */
  confirmMs: 120_000,
  /** Longest wait until every subscribed haproxy serves the instances again; afterwards the result says so. */
  routeMs: 30_000,
  /** Longest wait until every unit is up after the activation; systemd gives a unit 90 s to start. */
  unitsUpMs: 95_000,
  /** A unit may start again by itself this often while it comes up: what it depends on may have been restarted with it. */
  restartsAllowed: 2,
  /** How often units, apps and the verdict are looked at while a node proves itself. */
  provePollMs: 250,
  /** One login over sshd on loopback, and how long logins are tried: sshd may just be starting again. */
  sshTimeoutS: 4,
  sshTriesMs: 8_000,
  /** A confirmation is waited for as long as the watchdog waits from its beginning, and this; then the watchdog is gone, and the agent goes back. */
  watchdogSlackMs: 5_000,
  /** The way back: systemd's own stop timeout is 90 s per unit, and it is tried five times. */
  restoreMs: 900_000,
  /** Attempts to make the old system the boot default again: outlasts a disk that is full for a moment, not one that is broken. */
  bootDefaultTries: 5,
  /** After a state file could not be written: the disk may have room again. */
  stateRetryMs: 5_000,
  /** Room kept back so that the end of a job can be written on a full disk. */
  ballastBytes: 131_072,
  /** After the activation: apps have this long to become healthy, or their own start grace when that is longer. */
  appsUpMs: 60_000,
  /** Looks at a running build or switch this often. */
  unitPollMs: 200,
  /** A build that takes longer is stuck; a large closure over a slow line takes minutes. */
  buildMs: 3_600_000,
  /** systemd kills what does not stop in 90 s, and says so then. */
  unitStopMs: 100_000,
  /** A transient unit that is neither running nor has written its exit code for this long was cut off. */
  unitGoneMs: 3_000,
  /** How often the apps' units are looked at: the bound for "unit stopped, key gone". */
  unitWatchMs: 500,
  /** How often the folder of declared apps is read again; a switch reads it at once. */
  rescanMs: 5_000,
  /** The same where systemd tells of every change: only for what it may not have told. */
  unitResyncMs: 5_000,
  /** Pause before systemd's socket is tried again: it comes back within a second where systemd executes itself anew. */
  unitFeedRetryMs: 1_000,
  /** Copies of one app on one node: each is a unit and a port; more is a mistake. */
  copiesMax: 64,
  /** How often all keys of apps are listed for those of a former life of this node: only what a crash or a person left is found. */
  sweepMs: 300_000,
  /** Longest life of any helper command (`systemctl show`). */
  commandMs: 10_000,
  /** A dry activation and a comparison of closures read the whole system, on a busy machine slowly. */
  compareMs: 120_000,
  /** Making a system the boot default writes the boot loader's files. */
  commitMs: 300_000,
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
  /** Changes are told at most this often: a restart of many apps is some messages, not hundreds. */
  meshTellMs: 200,
  /** haproxy reads at most 16 KiB of commands at once. */
  runtimeLineBytes: 8 * 1024,
  /** A command that changed nothing is tried this often, with pauses that double from here; afterwards only a reload can help. */
  runtimeTries: 6,
  runtimeRetryMs: 250,
  /** A removed instance may work on open requests this long: as long as a reload would leave them (hard-stop-after in base.cfg). */
  runtimeDrainMs: 30_000,
  /** Before confd reloads for other servers, the agent, which sees the same change a little earlier, has this long to apply it, or to say that the file is behind. */
  runtimeGraceMs: 500,
  runtimeGracePollMs: 25,

  // confd: whether the file it renders follows etcd.
  /** How often the file is compared with what etcd says; it is a few kilobytes, and mostly nobody has touched it. */
  renderPollMs: 500,
  /** confd renders in under 300 ms, and recovers from a cut connection by itself in some 3 s; a file that is behind for longer lags. */
  renderLagMs: 5_000,
  /** First and longest pause between two restarts of confd: one takes a second, and one that did not help will not help at once again. */
  renderRestartMinMs: 10_000,
  renderRestartMaxMs: 300_000,
  /** Warnings of one kind of trouble can be many, one per key; an operator needs to see that and where, not all. */
  meshWarnings: 50,
} as const;
