/**
 * The port between the lab's cloud API and what plays a server. The API decides names, addresses and states;
 * a driver makes them true. Implementations: nspawn (real machines) and memory (API tests); both run driver.contract.ts.
 */

/** What a machine is made from. Everything here is fixed for the machine's life; a rebuild makes it anew. */
export interface MachineSpec {
  /** Key of the machine in the driver, e.g. `s42`; at most 10 characters of [a-z0-9], because it names a veth. */
  id: string;
  /** Host name inside. */
  hostname: string;
  /** Public IPv4 on the lab network, without prefix length. */
  ipv4: string;
  /** cloud-init user data, verbatim; the driver applies the keys the lab supports (see user-data.ts). */
  userData: string | null;
  /** Public keys for root, one line each. */
  authorizedKeys: readonly string[];
  /** Root file system to start from: an image name known to the driver, or a snapshot id. */
  image: string;
}

/** `running` means that the machine's init runs, not that sshd answers. */
export type MachineState = 'absent' | 'off' | 'running';

export interface MachineDriver {
  /** Makes the root file system; the machine is off afterwards. Idempotent for the same id. */
  create(spec: MachineSpec): Promise<void>;
  /** Boots; a running machine stays as it is. */
  start(id: string): Promise<void>;
  /** Asks init to power off in order and waits for it (defaults.shutdownMs), then cuts the power. */
  shutdown(id: string): Promise<void>;
  /** Power cut: cable first, then SIGKILL, so that peers see silence and not a FIN (lab-machines.md, gotcha 1). */
  powerOff(id: string): Promise<void>;
  /** Orderly restart from the outside. */
  reboot(id: string): Promise<void>;
  /** Removes machine and disk; an absent machine is fine. */
  destroy(id: string): Promise<void>;
  state(id: string): Promise<MachineState>;
  /** Copies the root of a machine that is off into an image called `image`. */
  snapshot(id: string, image: string): Promise<void>;
  /** Takes the network cable out (`up` false) or puts it back. */
  link(id: string, up: boolean): Promise<void>;
  /** Drops what this machine and the others say to each other, both ways and silently; it outlasts reboots. Adds to what is cut. */
  partition(id: string, others: readonly string[]): Promise<void>;
  /** Ends every partition of this machine, whichever end it was asked for at. */
  rejoin(id: string): Promise<void>;
  /** Runs a command inside without SSH, for people and tests. */
  exec(id: string, argv: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }>;
}
