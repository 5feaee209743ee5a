/**
 * All that the lab's API knows, as one JSON value. Handlers and the action runner take a state and return the next
 * one; only the store writes it down. Nothing here reads a clock, a file or the driver.
 */
import { labApiDefaults } from './defaults.js';
import type { ServerCommand, ServerStatus } from './server-status.js';

export type Labels = Readonly<Record<string, string>>;

/** A token may read, or read and write, in exactly one project. */
export interface Token {
  token: string;
  access: 'read' | 'write';
}

export interface Project {
  name: string;
  tokens: readonly Token[];
  /** Servers allowed; the next one gets `resource_limit_exceeded`. */
  serverLimit: number;
}

interface Owned {
  id: number;
  project: string;
}

export interface Server extends Owned {
  name: string;
  status: ServerStatus;
  created: string;
  labels: Labels;
  serverType: number;
  image: number;
  location: number;
  placementGroup: number | null;
  ipv4: number;
  ipv6: number | null;
  authorizedKeys: readonly string[];
  userData: string | null;
  protected: boolean;
  /** A `no-boot` fault pretended its start: it counts as running although its machine is off. */
  pretended: boolean;
}

export interface SshKey extends Owned {
  name: string;
  fingerprint: string;
  publicKey: string;
  labels: Labels;
  created: string;
}

export interface PlacementGroup extends Owned {
  name: string;
  labels: Labels;
  created: string;
}

/** A snapshot made through the API; images that come with the lab are in catalogue/images.ts. */
export interface Snapshot extends Owned {
  description: string;
  status: 'creating' | 'available';
  created: string;
  createdFrom: { id: number; name: string };
  diskSize: number;
  architecture: 'x86' | 'arm';
  osFlavor: string;
  osVersion: string | null;
  labels: Labels;
  protected: boolean;
}

export interface PrimaryIp extends Owned {
  name: string;
  type: 'ipv4' | 'ipv6';
  ip: string;
  assignee: number | null;
  location: number;
  created: string;
}

export interface Action extends Owned {
  command: ServerCommand | 'change_protection' | 'add_to_placement_group' | 'remove_from_placement_group';
  status: 'running' | 'success' | 'error';
  started: string;
  finished: string | null;
  error: { code: string; message: string } | null;
  resources: readonly { id: number; type: string }[];
}

/** A planned misbehaviour; see docs/reference/lab-api.md. `count` is how often it still happens. */
export type Fault = RequestFault | ServerFault;

export interface RequestFault extends Owned {
  kind: 'request';
  method: string;
  path: string;
  /** `refuse`: nothing is done and the given answer goes out. `lose-reply`: it is done, but the connection is cut. */
  effect: 'refuse' | 'lose-reply';
  status: number;
  /** Error code of the envelope; null answers without JSON, as a broken proxy does. */
  code: string | null;
  message: string;
  headers: Readonly<Record<string, string>>;
  count: number;
}

export interface ServerFault extends Owned {
  kind: 'no-boot' | 'wrong-host-key' | 'fail-action';
  /** Server name, `*` matches any text. */
  server: string;
  /** For `fail-action`: which command ends as an error. */
  command: string | null;
  count: number;
}

export interface LabState {
  version: 1;
  lastId: number;
  projects: readonly Project[];
  servers: readonly Server[];
  sshKeys: readonly SshKey[];
  placementGroups: readonly PlacementGroup[];
  snapshots: readonly Snapshot[];
  primaryIps: readonly PrimaryIp[];
  actions: readonly Action[];
  faults: readonly Fault[];
}

export function emptyState(projects: readonly Project[]): LabState {
  return {
    version: 1,
    lastId: labApiDefaults.firstId,
    projects,
    servers: [],
    sshKeys: [],
    placementGroups: [],
    snapshots: [],
    primaryIps: [],
    actions: [],
    faults: [],
  };
}

export type Collection =
  | 'servers'
  | 'sshKeys'
  | 'placementGroups'
  | 'snapshots'
  | 'primaryIps'
  | 'actions'
  | 'faults';
export type Item<K extends Collection> = LabState[K][number];

/** Adds an item under the next free id; one counter serves every kind. */
export function inserted<K extends Collection>(
  state: LabState,
  kind: K,
  make: (id: number) => Item<K>,
): { state: LabState; item: Item<K> } {
  const item = make(state.lastId + 1);
  return { state: { ...state, lastId: state.lastId + 1, [kind]: [...state[kind], item] }, item };
}

export function patched<K extends Collection>(
  state: LabState,
  kind: K,
  id: number,
  change: Partial<Item<K>>,
): LabState {
  return { ...state, [kind]: state[kind].map((item) => (item.id === id ? { ...item, ...change } : item)) };
}

export function removed(state: LabState, kind: Collection, id: number): LabState {
  return { ...state, [kind]: state[kind].filter((item) => item.id !== id) };
}

/** Actions that still hold a server, oldest first: they run one after the other. */
export function runningActions(state: LabState, serverId: number): readonly Action[] {
  return state.actions.filter(
    (action) =>
      action.status === 'running' && action.resources.some((r) => r.type === 'server' && r.id === serverId),
  );
}

/** Key of a server's machine in the driver. */
export function machineId(serverId: number): string {
  return `s${serverId}`;
}
