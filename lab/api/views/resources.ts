/** The small resources as the API prints them. Every field of the reference is on every answer. */
import type { Action, LabState, PlacementGroup, PrimaryIp, SshKey } from '../state.js';
import type { Profile } from '../world.js';
import { datacenterView, locationById, locationView } from './catalogue.js';

export function actionView(action: Action) {
  return {
    id: action.id,
    command: action.command,
    status: action.status,
    progress: action.status === 'running' ? 0 : 100,
    started: action.started,
    finished: action.finished,
    resources: action.resources,
    error: action.error,
  };
}

export function sshKeyView(key: SshKey) {
  return {
    id: key.id,
    name: key.name,
    fingerprint: key.fingerprint,
    public_key: key.publicKey,
    labels: key.labels,
    created: key.created,
  };
}

export function placementGroupView(state: LabState, group: PlacementGroup) {
  return {
    id: group.id,
    name: group.name,
    labels: group.labels,
    type: 'spread',
    servers: state.servers.filter((server) => server.placementGroup === group.id).map((server) => server.id),
    created: group.created,
  };
}

/** Reverse name of a lab address; `.internal` is reserved for private use, so it resolves nowhere. */
export function reverseName(ip: string): string {
  return `host-${ip.replaceAll('.', '-')}.lab.internal`;
}

export function primaryIpView(address: PrimaryIp, profile: Profile) {
  const location = locationById(address.location);
  return {
    id: address.id,
    name: address.name,
    type: address.type,
    ip: address.ip,
    assignee_id: address.assignee,
    assignee_type: address.assignee === null ? 'unassigned' : 'server',
    auto_delete: true,
    blocked: false,
    dns_ptr: address.type === 'ipv4' ? [{ ip: address.ip, dns_ptr: reverseName(address.ip) }] : [],
    protection: { delete: false },
    labels: {},
    location: locationView(location),
    created: address.created,
    ...(profile === 'compat' ? { datacenter: datacenterView(location) } : {}),
  };
}
