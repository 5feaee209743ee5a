/** What the state becomes when an action has ended, when the driver was looked at, and after a restart. */
import type { MachineState } from '../../machines/driver.js';
import { isServerCommand, observedStatus, serverCommands } from '../server-status.js';
import { type Action, type LabState, patched, removed, runningActions } from '../state.js';

const failure = { code: 'action_failed', message: 'Action failed' } as const;

export interface Ending {
  ok: boolean;
  /** Now, as the API prints it. */
  at: string;
  /** What the driver reports for the machine after the action. */
  machine: MachineState;
}

/** Ends an action and moves its server; after a failed create, what was to follow fails with it. */
export function settled(state: LabState, action: Action, ending: Ending): LabState {
  const serverId = action.resources.find((resource) => resource.type === 'server')?.id ?? 0;
  const ended = withImage(finished(state, action, ending), action, ending.ok);
  if (!ending.ok) {
    const followers = action.command === 'create_server' ? runningActions(ended, serverId) : [];
    const all = followers.reduce((next, follower) => finished(next, follower, ending), ended);
    return patched(all, 'servers', serverId, { status: observedStatus(ending.machine), pretended: false });
  }
  if (action.command === 'delete_server') return withoutServer(ended, serverId);
  const rule = isServerCommand(action.command) ? serverCommands[action.command] : undefined;
  const server = ended.servers.find((candidate) => candidate.id === serverId);
  if (!rule || !server) return ended;
  if (rule.after) return patched(ended, 'servers', serverId, { status: rule.after });
  return observed(ended, serverId, ending.machine);
}

/** Brings a server's status in line with its machine, unless an action holds it or its boot is pretended. */
export function observed(state: LabState, serverId: number, machine: MachineState): LabState {
  const server = state.servers.find((candidate) => candidate.id === serverId);
  if (!server || server.pretended || runningActions(state, serverId).length > 0) return state;
  const status = observedStatus(machine);
  return server.status === status ? state : patched(state, 'servers', serverId, { status });
}

/** Ends the actions that were cut off by a restart and must not be done twice; the others stay and are resumed. */
export function afterRestart(state: LabState, at: string): LabState {
  return state.actions
    .filter((action) => action.status === 'running')
    .filter(
      (action) => !isServerCommand(action.command) || serverCommands[action.command].onRestart === 'fail',
    )
    .reduce((next, action) => {
      const ended = finished(next, action, { ok: false, at });
      return withImage(ended, action, false);
    }, state);
}

function finished(state: LabState, action: Action, { ok, at }: { ok: boolean; at: string }): LabState {
  return patched(state, 'actions', action.id, {
    status: ok ? 'success' : 'error',
    finished: at,
    error: ok ? null : failure,
  });
}

function withImage(state: LabState, action: Action, ok: boolean): LabState {
  const image = action.resources.find((resource) => resource.type === 'image');
  if (!image || action.command !== 'create_image') return state;
  return ok
    ? patched(state, 'snapshots', image.id, { status: 'available' })
    : removed(state, 'snapshots', image.id);
}

/** The server and the addresses it brought; its actions stay, because clients still poll them. */
function withoutServer(state: LabState, serverId: number): LabState {
  return {
    ...state,
    servers: state.servers.filter((server) => server.id !== serverId),
    primaryIps: state.primaryIps.filter((address) => address.assignee !== serverId),
  };
}
