/** The port between the convergence and where machines come from: provider and SSH in production, a fake in tests. */
import type { SshSession } from '../provision/ssh.js';

/** A server that exists. */
export interface Machine {
  name: string;
  ipv4: string;
}

/** A verified SSH session as root. */
export type Shell = Pick<SshSession, 'exec' | 'close'>;

export interface Machines {
  /** Servers of this cluster. */
  list(): Promise<readonly Machine[]>;
  /** Makes the server with its host key injected and waits until it runs. Idempotent by name. */
  create(node: { name: string; type: string; location: string }): Promise<Machine>;
  /** Waits until sshd answers with the injected host key; throws `node.no-boot`, `ssh.host-key`, `ssh.auth`. */
  connect(machine: Machine, limitMs: number): Promise<Shell>;
  /** Deletes these servers, and what is kept about them. */
  remove(names: readonly string[]): Promise<void>;
  /** Deletes what belongs to the cluster as a whole (SSH key, placement group), when no server is left. */
  removeShared(): Promise<void>;
}
