/** The port to the system that a revision becomes. `nixos` is the real one; the test harness has one that records. */

export type BuildResult = { ok: true; system: string } | { ok: false; log: string[] };

export interface SwitchResult {
  exit: number;
  log: string[];
}

export interface Activator {
  /** Builds `configDir#node`; a failure carries the last lines, the Nix error among them. */
  build(node: string, configDir: string): Promise<BuildResult>;
  /** Forgets how a former switch ended, before this one is on record as begun; else its end would be read as ours. */
  forgetSwitch(): Promise<void>;
  /** Starts the switch; it goes on when this process ends. */
  startSwitch(system: string): Promise<void>;
  /** Waits for the switch that runs or ran last; undefined when it was cut off (a power cut) and must be started again. */
  awaitSwitch(): Promise<SwitchResult | undefined>;
  /** What runs now; empty when there is nothing yet. */
  currentSystem(): Promise<string>;
  /** Identifies the content of a unit in a system (two equal answers: same unit); undefined when the system has no such unit. */
  unitIdentity(system: string, unit: string): Promise<string | undefined>;
  failedUnits(): Promise<string[]>;
  /** Why a unit is as it is: its status and the end of its journal. */
  explainUnit(unit: string): Promise<string[]>;
}

/** The state of units, as systemd's ActiveState (`active`, `activating`, `failed`, …). */
export interface UnitWatcher {
  activeStates(units: readonly string[]): Promise<Map<string, string>>;
}
