/** Every time, limit and address of the lab's machines and image, each with its reason. The cloud API has its own. */
export const labDefaults = {
  /** Machines' network: a private range that home routers and clouds seldom use. */
  cidr: '10.77.0.0/24',
  /** Port of the cloud API on loopback; a fixed one, so that a project's .env stays right. Another is taken when it is in use. */
  apiPort: 18_169,
  /** From starting the API's process until it answers (ms). 0.3 s on an idle host. */
  apiStartMs: 20_000,
  /** The API ends within a second of SIGTERM unless an action runs (ms). */
  apiStopMs: 10_000,
  /** State of the machines; on disk, because an overlay's upper layer may be neither on a tmpfs nor on an overlay. */
  stateDir: '/var/lib/nix-infra-lab',
  /** Debian release of the base image: its Nix, etcd and podman are the closest to NixOS 25.05 (nix-lab.md, section 6). */
  release: 'trixie',
  /** Oldest systemd-nspawn the commands were tried with. */
  nspawnVersion: 252,
  /** From `start` until init runs (ms). 0.3 s on an idle host; the rest is for a busy one. */
  bootMs: 30_000,
  /** An orderly poweroff takes 0.3 s (ms); a unit may use its stop timeout, a person should not wait for all of it. */
  shutdownMs: 20_000,
  /** From SIGKILL until the kernel has taken everything down (ms). */
  killMs: 10_000,
  /** How often a state of the kernel (process, cgroup, link) is looked at while waiting (ms). */
  pollMs: 20,
  /** All machines are uid 0 of one host and share its inotify instances: 128 end at about 12 machines. */
  inotifyInstances: 1024,
  /** How often a command inside a machine is told to go on (ms): a reboot is held up by at most this. */
  nudgeMs: 100,
  /** A command of the driver (ip, cp, mount) that takes longer hangs (ms). */
  commandMs: 60_000,
  /** Build of the image over a slow mirror (ms). It needs about a minute over a fast one. */
  imageMs: 1_800_000,
} as const;
