/**
 * Every error code a person can meet: its title, exit code and what to do.
 * Exit codes: 1 failed, 2 bad input in the project, 64 bad command line (both as the predecessor),
 * 3 unreachable, 4 rejected by the node (nothing changed), 5 applied but not healthy, 6 locked or busy, 7 rolled back by the node,
 * 8 a node was lost in the middle, 9 applied but a reboot is needed, 130 interrupted.
 * docs/reference/errors.md is generated from this table by scripts/docs.mjs.
 */
export interface ErrorEntry {
  title: string;
  exit: number;
  next: string;
}

export const errorCatalogue = {
  internal: {
    title: 'Something went wrong that nix-infra did not expect',
    exit: 1,
    next: 'run the command again with --debug and report what it prints',
  },
  interrupted: {
    title: 'Interrupted',
    exit: 130,
    next: 'run the same command again; it continues where it stopped',
  },
  usage: { title: 'The command line is not right', exit: 64, next: 'see the --help of this command' },

  'config.missing': {
    title: 'No cluster.yaml was found',
    exit: 2,
    next: 'run `nix-infra init` here, or point to the project with -d DIR or -f FILE',
  },
  'config.invalid': {
    title: 'cluster.yaml is not valid',
    exit: 2,
    next: 'correct the line named above; docs/reference/cluster-yaml.md lists every key',
  },
  'project.invalid': {
    title: 'The project folder is not complete',
    exit: 2,
    next: 'run `nix-infra init` in it; existing files are kept',
  },
  'project.placeholder': {
    title: 'A placeholder in a project file is not known',
    exit: 2,
    next: 'correct the placeholder; docs/reference/placeholders.md lists the known ones',
  },
  'daemon.config': {
    title: 'The configuration file of a daemon is not valid',
    exit: 2,
    next: 'correct the file named above; on a node a deploy writes it again',
  },
  'bundle.invalid': {
    title: 'A bundle is not acceptable',
    exit: 2,
    next: 'look at the file named above in the project folder',
  },
  'secret.missing': {
    title: 'A secret is missing',
    exit: 2,
    next: 'store it with `nix-infra secrets store`',
  },

  'pki.password': {
    title: 'The CA key cannot be opened',
    exit: 2,
    next: 'check CA_PASS and INTERMEDIATE_CA_PASS in .env',
  },
  'pki.invalid': {
    title: 'A certificate or key in ca/ cannot be used',
    exit: 2,
    next: 'restore ca/ from a backup, or remove the named file to have it made again',
  },

  'pki.busy': {
    title: 'Another process works on the certificate authority',
    exit: 6,
    next: 'wait until the other command has ended; if there is none, remove ca/intermediate/lockfile',
  },

  'provider.auth': {
    title: 'The cloud refused the token',
    exit: 1,
    next: 'check HCLOUD_TOKEN; it needs read and write access to the project',
  },
  'provider.quota': {
    title: 'The cloud project is at its limit',
    exit: 1,
    next: 'delete unused servers or ask for a higher limit, then run the command again',
  },
  'provider.unavailable': {
    title: 'The cloud has no capacity for this server',
    exit: 1,
    next: 'choose another type or location in cluster.yaml, or try later',
  },
  'provider.rejected': {
    title: 'The cloud refused the request',
    exit: 1,
    next: 'correct what the message names, then run the command again',
  },
  'provider.unreachable': {
    title: 'The cloud API does not answer',
    exit: 3,
    next: 'check the network and HCLOUD_ENDPOINT, then run the command again',
  },
  'provider.action-failed': {
    title: 'An action of the cloud failed',
    exit: 1,
    next: 'look at the server in the cloud console, then run the command again',
  },
  'provider.none': {
    title: 'No provider is configured',
    exit: 2,
    next: 'set HCLOUD_TOKEN (hetzner) or write servers.yaml (self-hosted)',
  },

  'node.unknown': { title: 'There is no such node', exit: 1, next: 'see the names with `nix-infra status`' },
  'node.alive': {
    title: 'The node lives; nothing was done',
    exit: 1,
    next: 'when it shall be replaced all the same, add --force',
  },
  'node.no-boot': {
    title: 'The server never became reachable over SSH',
    exit: 3,
    next: 'look at its console; `nix-infra down` or delete it in the cloud, then run the command again',
  },
  'node.not-nixos': {
    title: 'The server does not run NixOS',
    exit: 1,
    next: 'set `image` in cluster.yaml to a NixOS snapshot, or `installer`; see docs/how-to/hetzner.md',
  },
  'ssh.host-key': {
    title: 'The SSH host key is not the one that was injected; nothing was sent',
    exit: 1,
    next: 'somebody may be in between. Delete the server and run the command again; ssh/known_hosts holds the expected key',
  },
  'ssh.auth': {
    title: 'The server refused our SSH key',
    exit: 1,
    next: 'check that ssh/<SSH_KEY> in the project is the key the server was created with',
  },
  'ssh.failed': {
    title: 'The SSH connection failed',
    exit: 3,
    next: 'check that the server is up, then run the command again',
  },
  'ssh.command': {
    title: 'A command on the node failed',
    exit: 1,
    next: 'read its output above; `nix-infra cluster ssh --target=NODE` opens a shell there',
  },

  'apply.rejected': {
    title: 'The configuration was rejected; the node runs what it ran before',
    exit: 4,
    next: 'correct the Nix file named in the log, then deploy again',
  },
  'apply.unhealthy': {
    title: 'The configuration was applied, but not every unit works',
    exit: 5,
    next: 'look at the unit named in the log (`nix-infra cluster cmd --target=NODE "systemctl status UNIT"`), then deploy again',
  },
  'apply.rolled-back': {
    title: 'The configuration did not prove itself; the node went back to what it ran before',
    exit: 7,
    next: 'read the failing proof and the log lines above, correct the cause, then deploy again',
  },
  'apply.unreachable': {
    title: 'The node was lost while it applied the configuration',
    exit: 8,
    next: 'look at the server; its watchdog goes back by itself. `nix-infra status` shows when it returns',
  },
  'apply.needs-reboot': {
    title: 'The configuration was applied; a part of it takes effect with the next boot',
    exit: 9,
    next: 'reboot the nodes named above, one after the other',
  },
  'rollout.locked': {
    title: 'Another rollout runs',
    exit: 6,
    next: 'watch it with `nix-infra rollout watch`, or wait for it with --lock-wait 10m',
  },
  'rollout.stale': {
    title: 'The cluster changed after the plan was shown; nothing was done',
    exit: 6,
    next: 'run the command again and look at the new plan',
  },
  'rollout.unknown': {
    title: 'There is no such rollout',
    exit: 1,
    next: 'see `nix-infra rollout list`',
  },
  'rollout.state': {
    title: 'The rollout is not in a state that allows this',
    exit: 1,
    next: 'see its state with `nix-infra rollout show ID`',
  },
  'rollout.invalid': {
    title: 'An option of the rollout is not valid',
    exit: 64,
    next: 'see `nix-infra deploy --help`',
  },
  'rollout.capacity': {
    title: 'An app would have fallen below its healthy minimum',
    exit: 5,
    next: 'bring the missing instances back (`nix-infra status`), or deploy with --force',
  },
  'rollout.timeout': {
    title: 'The rollout did not end before its deadline',
    exit: 3,
    next: 'see which node it waited for with `nix-infra rollout show ID`',
  },
  'rollout.aborted': {
    title: 'The rollout was aborted',
    exit: 1,
    next: 'see what was moved and undone with `nix-infra rollout show ID`',
  },
  'rollout.undo-failed': {
    title: 'Not every node could be brought back to what it ran before',
    exit: 5,
    next: 'see the nodes with `nix-infra rollout show ID`; what they were ordered last is the way back, and they take it when they can',
  },
  'apply.timeout': {
    title: 'The node did not report a result in time',
    exit: 3,
    next: 'see `nix-infra status`; run the command again to continue waiting',
  },
  'apply.busy': {
    title: 'The node is applying another revision',
    exit: 6,
    next: 'wait for it (`nix-infra status`), then run the command again',
  },

  'agent.missing': {
    title: 'The agent of a node does not dial in',
    exit: 3,
    next: 'look at its log: `nix-infra cluster cmd --target=NODE "journalctl -u nix-infra-agent -n 50"`',
  },
  'agent.version': {
    title: 'Agent and controller do not speak the same protocol',
    exit: 1,
    next: 'put the new files there with `nix-infra cluster update-node --target=NODE`, then run `nixos-rebuild switch` on it',
  },
  'controller.unreachable': {
    title: 'No controller answers',
    exit: 3,
    next: 'check that the control nodes are up (`nix-infra cluster cmd --target=NODE "systemctl status nix-infra-controller"`)',
  },
  'controller.refused': {
    title: 'The controller refused the request',
    exit: 1,
    next: 'check that the certificate belongs to this cluster and is allowed to do this',
  },
  'etcd.unavailable': {
    title: 'etcd has no quorum or does not answer',
    exit: 3,
    next: 'check the control nodes; running apps are not affected. Run the command again when two of three members are back',
  },
  'etcd.invalid': {
    title: 'A value in etcd is not what it should be',
    exit: 1,
    next: 'look at the key named above; a deploy writes it again',
  },
  'etcd.quorum': {
    title: 'etcd would be without a quorum; nothing was done',
    exit: 3,
    next: 'bring the other control nodes back first; when they are lost for good, restore a snapshot (`nix-infra etcd restore FILE`)',
  },
  'etcd.member-lost': {
    title: 'The data of a member of etcd is lost; it cannot come back as the same member',
    exit: 1,
    next: 'replace it: `nix-infra cluster replace-node NODE`',
  },
  'etcd.snapshot': {
    title: 'The file is not a whole snapshot of etcd',
    exit: 2,
    next: 'use another one; make a new one with `nix-infra etcd snapshot`',
  },

  'mesh.invalid': {
    title: 'A key of the mesh is not sound, and is left out of the routes',
    exit: 1,
    next: 'look at the key with `nix-infra cluster etcd ctl "get KEY"`; delete it, or let its owner write it again (restart the agent of the node)',
  },
  'mesh.conflict': {
    title: 'Two apps of one node want the same port; the later one is left out',
    exit: 1,
    next: 'give one of them another port and deploy it; on 127.0.0.1 a port can lead to one app only',
  },
  'mesh.held': {
    title:
      'No instance of an app is registered, but nobody said that they left; the last ones stay in service',
    exit: 1,
    next: 'check the agents of the nodes that ran it (`nix-infra status`); a node that is gone for good is removed with its keys',
  },
  'mesh.lagging': {
    title: 'The routes on a node do not follow etcd',
    exit: 1,
    next: 'the agent restarts confd by itself; when this stays, read `journalctl -u confd -u haproxy` on the node',
  },

  'lab.unsupported': {
    title: 'The lab cannot run on this machine',
    exit: 1,
    next: 'see docs/reference/lab.md for what it needs',
  },
  'lab.down': { title: 'The lab is not running', exit: 1, next: 'start it with `nix-infra lab up`' },
  'lab.failed': {
    title: 'A lab machine could not be operated',
    exit: 1,
    next: 'see its console log named above; `nix-infra lab down` cleans up',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorCatalogue;
