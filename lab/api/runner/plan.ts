/** From an action to the driver calls that carry it out, as data: pure, so that it can be read and tested alone. */
import { isMap, parseDocument } from 'yaml';
import type { MachineSpec } from '../../machines/driver.js';
import { serverFault } from '../faults.js';
import { isServerCommand, serverCommands } from '../server-status.js';
import { type Action, type LabState, machineId, patched, type Server } from '../state.js';
import { imageSources, snapshotRootfs } from '../views/image.js';

export type DriverStep =
  | { call: 'create'; spec: MachineSpec }
  | { call: 'snapshot'; machine: string; image: string }
  | { call: 'start' | 'shutdown' | 'powerOff' | 'reboot' | 'destroy'; machine: string };

export interface Plan {
  /** State while the action runs: the server's status has moved and used-up faults are gone. */
  state: LabState;
  steps: readonly DriverStep[];
  /** The action ends as an error without touching the driver: a `fail-action` fault asked for it. */
  doomed: boolean;
}

/** Plans a running action of a server; faults that apply are woven in and counted down. */
export function planAction(state: LabState, action: Action, server: Server): Plan {
  const { command } = action;
  if (!isServerCommand(command))
    throw new Error(`action ${action.id} (${command}) is not work for the driver`);
  const during = serverCommands[command].during;
  const begun = during ? patched(state, 'servers', server.id, { status: during }) : state;
  const failing = serverFault(begun, server, 'fail-action', command);
  if (failing.fault) return { state: failing.state, steps: [], doomed: true };
  const machine = machineId(server.id);
  const off: DriverStep = { call: 'powerOff', machine };
  switch (command) {
    case 'create_server':
      return created(begun, server, []);
    case 'rebuild_server':
      return booted(created(begun, server, [off, { call: 'destroy', machine }]), server, 'start');
    case 'start_server':
      return booted(ready(begun), server, 'start');
    case 'reboot_server':
      // A machine that is off (or whose boot was only pretended) has no init to ask.
      return booted(
        ready(begun),
        server,
        server.status === 'running' && !server.pretended ? 'reboot' : 'start',
      );
    case 'reset_server':
      return booted(ready(begun, [off]), server, 'start');
    case 'stop_server':
      return ready(stopped(begun, server), [off]);
    case 'shutdown_server':
      return ready(
        stopped(begun, server),
        server.status === 'running' && !server.pretended ? [{ call: 'shutdown', machine }] : [off],
      );
    case 'delete_server':
      return ready(begun, [{ call: 'destroy', machine }]);
    case 'create_image':
      return ready(begun, snapshotSteps(action, server));
  }
}

function ready(state: LabState, steps: readonly DriverStep[] = []): Plan {
  return { state, steps, doomed: false };
}

function stopped(state: LabState, server: Server): LabState {
  return patched(state, 'servers', server.id, { pretended: false });
}

/** The disk is made anew. With a `wrong-host-key` fault the injected host key never reaches it. */
function created(state: LabState, server: Server, before: readonly DriverStep[]): Plan {
  const source = imageSources(state, server.project).find((image) => image.id === server.image);
  const address = state.primaryIps.find((candidate) => candidate.id === server.ipv4);
  if (!source || !address) return { state, steps: [], doomed: true };
  const wrongKey = serverFault(state, server, 'wrong-host-key');
  const spec: MachineSpec = {
    id: machineId(server.id),
    hostname: server.name,
    ipv4: address.ip,
    userData: wrongKey.fault ? withoutHostKeys(server.userData) : server.userData,
    authorizedKeys: server.authorizedKeys,
    image: source.rootfs,
  };
  return ready(wrongKey.state, [...before, { call: 'create', spec }]);
}

/** Adds the boot; with a `no-boot` fault the machine stays dark although the cloud calls it running. */
function booted(plan: Plan, server: Server, call: 'start' | 'reboot'): Plan {
  if (plan.doomed) return plan;
  const machine = machineId(server.id);
  const dark = serverFault(plan.state, server, 'no-boot');
  const state = patched(dark.state, 'servers', server.id, { pretended: dark.fault !== undefined });
  const steps: DriverStep[] = dark.fault
    ? call === 'reboot'
      ? [{ call: 'powerOff', machine }]
      : []
    : [{ call, machine }];
  return { state, doomed: false, steps: [...plan.steps, ...steps] };
}

/** The driver copies machines that are off, so a running one goes down for the copy and comes back. */
function snapshotSteps(action: Action, server: Server): readonly DriverStep[] {
  const image = action.resources.find((resource) => resource.type === 'image');
  if (!image) throw new Error(`action ${action.id} names no image`);
  const machine = machineId(server.id);
  const copy: DriverStep = { call: 'snapshot', machine, image: snapshotRootfs(image.id) };
  return server.status === 'running' && !server.pretended
    ? [{ call: 'shutdown', machine }, copy, { call: 'start', machine }]
    : [copy];
}

/** The same cloud-config without its host keys: the machine then makes its own, which is not the expected one. */
export function withoutHostKeys(userData: string | null): string | null {
  if (userData === null || !userData.startsWith('#cloud-config')) return userData;
  const document = parseDocument(userData);
  if (!isMap(document.contents)) return userData;
  document.delete('ssh_keys');
  const text = String(document);
  return text.startsWith('#cloud-config') ? text : `#cloud-config\n${text}`;
}
