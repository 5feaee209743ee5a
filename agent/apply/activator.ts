/** The port to the system that a revision becomes. `nixos` is the real one; the test harness has one that records. */
import type { Verdict, Watch } from '../system/watchdog.js';
import type { SystemUnits, UnitStates } from './proof.js';

export type BuildResult = { ok: true; system: string } | { ok: false; log: string[] };

export interface Ended {
  exit: number;
  log: string[];
}

export interface Activator {
  /** Another one after every boot of the machine. */
  bootId(): Promise<string>;
  /** What runs now; empty when there is nothing yet. */
  currentSystem(): Promise<string>;
  /** What boots next; empty when there is nothing yet. */
  profileSystem(): Promise<string>;

  /** Builds `folder#node`; a failure carries the last lines, the Nix error among them. The signal stops it, which is a failure as well. */
  build(node: string, folder: string, signal?: AbortSignal): Promise<BuildResult>;
  /** Keeps a system from being collected under this name, until another one has the name. */
  keep(name: string, system: string): Promise<void>;
  /** False when it has been collected, or is not whole. */
  isBuilt(system: string): Promise<boolean>;
  /** Lines that say what activating would do. Throws when the system does not say. */
  dryActivate(system: string): Promise<string[]>;
  /** Packages that come, go or change. Never throws: it is for people. */
  diffClosures(before: string, after: string): Promise<string[]>;
  /** Whether kernel, initrd, modules or kernel parameters are others than those that were booted. */
  needsReboot(system: string): Promise<boolean>;
  unitsOf(system: string): Promise<SystemUnits>;
  /** The folder of declared apps inside a system. */
  appsDirOf(system: string): string;

  /** Arms the watchdog, in place of one that still runs: from now on the node goes back by itself. */
  armWatchdog(watch: Watch): Promise<void>;
  watchdogRuns(): Promise<boolean>;
  verdict(nonce: string): Promise<Verdict | undefined>;
  /** Tries to decide; the answer is the verdict that stands. */
  claim(nonce: string, verdict: Verdict): Promise<Verdict>;
  /** How the way back ended; undefined while it has not. */
  restored(nonce: string): Promise<Ended | undefined>;

  /** Forgets how a former activation ended, before this one is on record as begun; else its end would be read as ours. */
  forgetActivation(): Promise<void>;
  /** Whether an activation was started since the last was forgotten. */
  activationBegan(): Promise<boolean>;
  /**
   * Activates without touching the boot default; goes on when this process ends. Nothing is activated when a verdict under this nonce is
   * there before it begins, also where that is long after this call.
   */
  startActivation(system: string, nonce: string): Promise<void>;
  /** Returns when no activation runs any more: whether one did. */
  stopActivation(): Promise<boolean>;
  /** The end of the activation; undefined while it runs. It was `cut` when it went without an end. */
  activation(): Promise<Ended | 'cut' | undefined>;
  /** Makes the system the boot default and the profile's current generation. Throws with the words of a failure. */
  commit(system: string): Promise<void>;

  unitStates(units: readonly string[]): Promise<UnitStates>;
  failedUnits(): Promise<string[]>;
  /** Why a unit is as it is: its status and the end of its journal. */
  explainUnit(unit: string): Promise<string[]>;
  /** Whether sshd accepts a login on loopback; undefined when it cannot be tried here. */
  sshLogin(): Promise<{ ok: boolean; detail: string } | undefined>;
  /** Number of established connections to `ipv4:port` of this node. */
  connectionsTo(address: string): Promise<number>;
}

/** Tells that units changed, as it happens. */
export interface UnitFeed {
  /** False while nothing is told, and asking is the only way. */
  live(): boolean;
  close(): void;
}

/** The state of units, as systemd's ActiveState (`active`, `activating`, `failed`, …). */
export interface UnitWatcher {
  activeStates(units: readonly string[]): Promise<Map<string, string>>;
  /** Absent where there is nothing that tells. `undefined` for the unit: anything may have changed, also whether the feed lives. */
  follow?(onChange: (unit: string | undefined) => void): UnitFeed;
}
