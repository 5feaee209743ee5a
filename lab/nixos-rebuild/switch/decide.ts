/** The table of a switch: what happens to one active unit of the old system. */
import { compareUnits } from '#switch/compare-units';
import { flag, type UnitFile } from '#switch/unit-file';

/**
 * - `nothing`: it goes on as it is
 * - `stop`: it is not part of the new system
 * - `skip`: it changed, but says itself that a switch must leave it alone; people are told
 * - `reload`, `restart`: in the new system
 * - `stop-start`: stopped by its old unit, started by its new one
 * - `stop-start-socket`: the same, but its socket starts it
 * - `start`, `stop-start-target`: targets are started again, which pulls in what they want now
 */
export type Action =
  | 'nothing'
  | 'stop'
  | 'skip'
  | 'reload'
  | 'restart'
  | 'stop-start'
  | 'stop-start-socket'
  | 'start'
  | 'stop-start-target';

export interface ActiveUnit {
  name: string;
  before: UnitFile;
  /** The unit in the new system; null when it is gone or a link to /dev/null. */
  after: UnitFile | null;
  /** Whether the new system has a socket for it. */
  hasSocket: boolean;
}

/** These hold the machine up, or cannot be reloaded or restarted at all. */
const neverTouched = /^(basic|multi-user|graphical|sysinit|local-fs|network)\.target$|\.(slice|path|socket)$/;
const rootMounts: ReadonlySet<string> = new Set(['-.mount', 'nix.mount', 'nix-store.mount']);

export function decide({ name, before, after, hasSocket }: ActiveUnit): Action {
  if (!after) return flag(before, 'Unit', 'X-StopOnRemoval', true) ? 'stop' : 'nothing';
  if (name.endsWith('.target')) return decideTarget(after);
  switch (compareUnits(before, after)) {
    case 'equal':
      return 'nothing';
    case 'reload':
      return 'reload';
    case 'changed':
      return decideChanged(name, after, hasSocket);
  }
}

function decideTarget(after: UnitFile): Action {
  if (flag(after, 'Unit', 'RefuseManualStart', false) || flag(after, 'Unit', 'X-OnlyManualStart', false))
    return 'nothing';
  return flag(after, 'Unit', 'X-StopOnReconfiguration', false) ? 'stop-start-target' : 'start';
}

function decideChanged(name: string, after: UnitFile, hasSocket: boolean): Action {
  if (neverTouched.test(name) || rootMounts.has(name)) return 'nothing';
  if (flag(after, 'Service', 'X-ReloadIfChanged', false)) return 'reload';
  if (
    !flag(after, 'Service', 'X-RestartIfChanged', true) ||
    flag(after, 'Unit', 'RefuseManualStop', false) ||
    flag(after, 'Unit', 'X-OnlyManualStart', false)
  ) {
    return 'skip';
  }
  if (!name.endsWith('.service') || !flag(after, 'Service', 'X-StopIfChanged', true)) return 'restart';
  return hasSocket && !flag(after, 'Service', 'X-NotSocketActivated', false)
    ? 'stop-start-socket'
    : 'stop-start';
}
