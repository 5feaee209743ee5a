import { describe, expect, it } from 'vitest';
import type { ServerCommand } from '../server-status.js';
import { type Action, emptyState, type LabState, type Server, type ServerFault } from '../state.js';
import { planAction, withoutHostKeys } from './plan.js';

const at = '2026-11-23T10:00:00+00:00';
const server: Server = {
  id: 7,
  project: 'p',
  name: 'web1',
  status: 'running',
  created: at,
  labels: {},
  serverType: 114,
  image: 310,
  location: 1,
  placementGroup: null,
  ipv4: 8,
  ipv6: null,
  authorizedKeys: [],
  userData: null,
  protected: false,
  pretended: false,
};

function action(command: ServerCommand): Action {
  const resources = [{ id: 7, type: 'server' }];
  if (command === 'create_image') resources.push({ id: 30, type: 'image' });
  return {
    id: 20,
    project: 'p',
    command,
    status: 'running',
    started: at,
    finished: null,
    error: null,
    resources,
  };
}

function state(change: Partial<Server>, faults: readonly ServerFault[] = []): LabState {
  const address = { project: 'p', name: 'a', assignee: 7, location: 1, created: at };
  return {
    ...emptyState([]),
    servers: [{ ...server, ...change }],
    primaryIps: [{ ...address, id: 8, type: 'ipv4', ip: '10.77.0.11' }],
    faults,
  };
}

function calls(command: ServerCommand, change: Partial<Server> = {}, faults: readonly ServerFault[] = []) {
  const plan = planAction(state(change, faults), action(command), { ...server, ...change });
  return { ...plan, calls: plan.steps.map((step) => step.call) };
}

const noBoot: ServerFault = { id: 1, project: 'p', kind: 'no-boot', server: 'web*', command: null, count: 2 };

describe('planAction', () => {
  it.each([
    ['create_server', {}, ['create']],
    ['start_server', { status: 'off' }, ['start']],
    ['stop_server', {}, ['powerOff']],
    ['shutdown_server', {}, ['shutdown']],
    ['shutdown_server', { status: 'off' }, ['powerOff']],
    ['reboot_server', {}, ['reboot']],
    ['reboot_server', { status: 'off' }, ['start']],
    ['reboot_server', { pretended: true }, ['start']],
    ['reset_server', {}, ['powerOff', 'start']],
    ['rebuild_server', {}, ['powerOff', 'destroy', 'create', 'start']],
    ['create_image', {}, ['shutdown', 'snapshot', 'start']],
    ['create_image', { status: 'off' }, ['snapshot']],
    ['delete_server', {}, ['destroy']],
  ] as const)('%s of %o', (command, change, expected) => {
    expect(calls(command, change).calls).toEqual(expected);
  });

  it('counts a fault down and marks the pretended boot', () => {
    const plan = calls('start_server', { status: 'off' }, [noBoot]);
    expect(plan.calls).toEqual([]);
    expect(plan.state.faults).toEqual([{ ...noBoot, count: 1 }]);
    expect(plan.state.servers[0]).toMatchObject({ status: 'starting', pretended: true });
  });

  it('keeps away from servers that the fault does not name', () => {
    expect(calls('start_server', { name: 'db1' }, [noBoot]).calls).toEqual(['start']);
    expect(calls('start_server', { project: 'q' }, [noBoot]).calls).toEqual(['start']);
  });

  it('dooms an action whose image is gone', () => {
    expect(calls('create_server', { image: 999 }).doomed).toBe(true);
  });
});

describe('withoutHostKeys', () => {
  it.each([null, '', '#!/bin/sh\n', '#cloud-config\n- a\n'])('leaves %j alone', (text) => {
    expect(withoutHostKeys(text)).toBe(text);
  });

  it('keeps every other key', () => {
    const text = '#cloud-config\nssh_keys:\n  ed25519_private: |\n    x\nhostname: a\n';
    expect(withoutHostKeys(text)).toBe('#cloud-config\nhostname: a\n');
  });

  it('still is a cloud-config when nothing else was in it', () => {
    expect(withoutHostKeys('#cloud-config\nssh_keys: {}\n')).toMatch(/^#cloud-config\n/);
  });
});
