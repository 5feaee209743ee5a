/** A server as the API prints it; `locked` and the addresses are derived, never stored twice. */
import { serverTypes } from '../catalogue/server-types.js';
import { type LabState, runningActions, type Server } from '../state.js';
import type { Profile } from '../world.js';
import { datacenterView, locationById, locationView, serverTypeView } from './catalogue.js';
import { imageView } from './image.js';
import { placementGroupView, reverseName } from './resources.js';

const includedTraffic = 20 * 1024 ** 4;

export function serverView(state: LabState, server: Server, profile: Profile) {
  const location = locationById(server.location);
  const type = serverTypes.find((candidate) => candidate.id === server.serverType);
  if (!type) throw new Error(`no server type ${server.serverType} in the catalogue`);
  const group = state.placementGroups.find((candidate) => candidate.id === server.placementGroup);
  return {
    id: server.id,
    name: server.name,
    status: server.status,
    created: server.created,
    labels: server.labels,
    locked: runningActions(state, server.id).length > 0,
    public_net: publicNet(state, server),
    private_net: [],
    server_type: serverTypeView(type),
    image: imageView(state, server.project, server.image),
    iso: null,
    location: locationView(location),
    ...(profile === 'compat' ? { datacenter: datacenterView(location) } : {}),
    placement_group: group ? placementGroupView(state, group) : null,
    volumes: [],
    load_balancers: [],
    primary_disk_size: type.disk,
    included_traffic: includedTraffic,
    outgoing_traffic: 0,
    ingoing_traffic: 0,
    backup_window: null,
    rescue_enabled: false,
    protection: { delete: server.protected, rebuild: server.protected },
  };
}

function publicNet(state: LabState, server: Server) {
  const v4 = state.primaryIps.find((address) => address.id === server.ipv4);
  const v6 = state.primaryIps.find((address) => address.id === server.ipv6);
  return {
    ipv4: v4 ? { id: v4.id, ip: v4.ip, blocked: false, dns_ptr: reverseName(v4.ip) } : null,
    ipv6: v6 ? { id: v6.id, ip: v6.ip, blocked: false, dns_ptr: [] } : null,
    floating_ips: [],
    firewalls: [],
  };
}
