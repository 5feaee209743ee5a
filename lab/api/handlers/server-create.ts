/** `POST /servers`: decides everything about a server at once and leaves the work to two actions. */
import { z } from 'zod';
import { apiErrors } from '../api-error.js';
import { datacenterNames, type Location, locations } from '../catalogue/locations.js';
import { type ServerType, serverTypes } from '../catalogue/server-types.js';
import { labApiDefaults } from '../defaults.js';
import { byIdOrName, hostNameField, idOrNameField, labelsField, readBody } from '../http/body.js';
import type { Handler } from '../http/route.js';
import { freeIpv4, ipv6For } from '../network.js';
import { inserted, type LabState } from '../state.js';
import { type ImageSource, imageSources } from '../views/image.js';
import { actionView } from '../views/resources.js';
import { serverView } from '../views/server.js';
import type { World } from '../world.js';
import { withAction } from './actions.js';
import { assertRoomInGroup } from './placement-groups.js';

/** User data within the real API's limit; the message names the limit because people hit it. */
export const userDataField = z
  .string()
  .refine(
    (text) => Buffer.byteLength(text) <= labApiDefaults.maxUserDataBytes,
    'must not exceed 32768 bytes',
  );

const createBody = z.object({
  name: hostNameField,
  server_type: idOrNameField,
  image: idOrNameField,
  location: idOrNameField.optional(),
  datacenter: idOrNameField.optional(),
  ssh_keys: z.array(idOrNameField).default([]),
  user_data: userDataField.nullish(),
  labels: labelsField.default({}),
  placement_group: z.int().nullish(),
  start_after_create: z.boolean().default(true),
  public_net: z
    .object({
      enable_ipv4: z.boolean().default(true),
      enable_ipv6: z.boolean().default(true),
      ipv4: z.int().nullish(),
      ipv6: z.int().nullish(),
    })
    .default({ enable_ipv4: true, enable_ipv6: true }),
  networks: z.array(z.int()).default([]),
  firewalls: z.array(z.object({ firewall: z.int() })).default([]),
  volumes: z.array(z.int()).default([]),
});
type CreateBody = z.infer<typeof createBody>;

export const createServer: Handler = (state, { body, project }, world) => {
  const wanted = readBody(createBody, body);
  assertNameAndQuota(state, project, wanted.name);
  const type = serverTypeFor(wanted);
  const location = locationFor(wanted, type, world);
  const image = imageFor(imageSources(state, project), wanted.image, type);
  const authorizedKeys = wanted.ssh_keys.map((key) => publicKey(state, project, key));
  const placementGroup = wanted.placement_group ?? null;
  if (placementGroup !== null) assertRoomInGroup(state, project, placementGroup);
  assertNothingUnbuilt(wanted);

  const addressed = withAddresses(state, world, { project, location, ipv6: wanted.public_net.enable_ipv6 });
  const made = inserted(addressed.state, 'servers', (id) => ({
    id,
    project,
    name: wanted.name,
    status: 'initializing',
    created: world.now(),
    labels: wanted.labels,
    serverType: type.id,
    image: image.id,
    location: location.id,
    placementGroup,
    ipv4: addressed.ipv4,
    ipv6: addressed.ipv6,
    authorizedKeys,
    userData: wanted.user_data ?? null,
    protected: false,
    pretended: false,
  }));
  const server = made.item;
  const resources = [{ id: server.id, type: 'server' }];
  const assigned = {
    ...made.state,
    primaryIps: made.state.primaryIps.map((address) =>
      address.id === server.ipv4 || address.id === server.ipv6
        ? { ...address, assignee: server.id }
        : address,
    ),
  };
  const created = withAction(assigned, world, { project, command: 'create_server', resources });
  const started = wanted.start_after_create
    ? withAction(created.state, world, { project, command: 'start_server', resources })
    : undefined;
  const next = started?.state ?? created.state;
  return {
    status: 201,
    state: next,
    body: {
      server: serverView(next, server, world.profile),
      action: actionView(created.action),
      next_actions: started ? [actionView(started.action)] : [],
      root_password: authorizedKeys.length > 0 ? null : world.password(),
    },
  };
};

function assertNameAndQuota(state: LabState, project: string, name: string): void {
  const servers = state.servers.filter((server) => server.project === project);
  if (servers.some((server) => server.name === name)) throw apiErrors.taken('server name is already used');
  const limit =
    state.projects.find((candidate) => candidate.name === project)?.serverLimit ?? labApiDefaults.serverLimit;
  if (servers.length >= limit) throw apiErrors.limit('server limit exceeded', 'server_limit');
}

function serverTypeFor(wanted: CreateBody): ServerType {
  const type = byIdOrName(serverTypes, wanted.server_type);
  if (type) return type;
  throw apiErrors.invalid([
    { name: 'server_type', messages: [`unknown server type '${wanted.server_type}'`] },
  ]);
}

function locationFor(wanted: CreateBody, type: ServerType, world: World): Location {
  // The strict profile ignores `datacenter`, as it ignores every key it does not know.
  const datacenter = world.profile === 'compat' ? wanted.datacenter : undefined;
  if (datacenter !== undefined && wanted.location !== undefined) {
    throw apiErrors.invalid([{ name: 'datacenter', messages: ['cannot be combined with location'] }]);
  }
  const location =
    datacenter === undefined
      ? byIdOrName(locations, wanted.location ?? type.locations[0] ?? '')
      : locations.find((candidate) => {
          const known = datacenterNames[candidate.name];
          return known !== undefined && byIdOrName([known], datacenter) !== undefined;
        });
  if (!location) throw apiErrors.invalid([{ name: 'location', messages: ['unknown location'] }]);
  if (type.locations.includes(location.name)) return location;
  throw apiErrors.invalidAs('unsupported location for server type', 'server_type');
}

/** The image a server of this type can start from; where a name exists per architecture, the type decides. */
export function imageFor(
  images: readonly ImageSource[],
  wanted: number | string,
  type: ServerType,
): ImageSource {
  const fitting = images.filter((image) => image.architecture === type.architecture);
  const image = byIdOrName(fitting, wanted);
  if (!image) {
    const reason = byIdOrName(images, wanted)
      ? 'image architecture is not the one of the server type'
      : 'unknown image';
    throw apiErrors.invalid([{ name: 'image', messages: [reason] }]);
  }
  if (!image.available) throw apiErrors.invalid([{ name: 'image', messages: ['image is not available'] }]);
  if (image.diskSize > type.disk) {
    throw apiErrors.invalid([
      { name: 'image', messages: ['image does not fit on the disk of the server type'] },
    ]);
  }
  return image;
}

function publicKey(state: LabState, project: string, wanted: number | string): string {
  const key = byIdOrName(
    state.sshKeys.filter((candidate) => candidate.project === project),
    wanted,
  );
  if (!key) throw apiErrors.notFound('SSH key', wanted);
  return key.publicKey.trim();
}

/** What the lab cannot give is refused, not silently left out. */
function assertNothingUnbuilt({ public_net: net, networks, firewalls, volumes }: CreateBody): void {
  const [network, firewall, volume] = [networks[0], firewalls[0]?.firewall, volumes[0]];
  const address = net.ipv4 ?? net.ipv6 ?? undefined;
  if (network !== undefined) throw apiErrors.notFound('network', network);
  if (firewall !== undefined) throw apiErrors.notFound('firewall', firewall);
  if (volume !== undefined) throw apiErrors.notFound('volume', volume);
  if (address !== undefined) throw apiErrors.unsupported('creating a server with an existing primary IP');
  if (!net.enable_ipv4) throw apiErrors.unsupported('a server without IPv4');
}

function withAddresses(
  state: LabState,
  world: World,
  wanted: { project: string; location: Location; ipv6: boolean },
): { state: LabState; ipv4: number; ipv6: number | null } {
  // All projects share one network, so every address counts, not only the project's own.
  const ip = freeIpv4(world.network, new Set(state.primaryIps.map((address) => address.ip)));
  if (ip === undefined) throw apiErrors.limit('Primary IP limit exceeded', 'primary_ip_limit');
  const common = {
    project: wanted.project,
    assignee: null,
    location: wanted.location.id,
    created: world.now(),
  };
  const v4 = inserted(state, 'primaryIps', (id) => ({
    ...common,
    id,
    name: `primary_ip-${id}`,
    type: 'ipv4',
    ip,
  }));
  if (!wanted.ipv6) return { state: v4.state, ipv4: v4.item.id, ipv6: null };
  const v6 = inserted(v4.state, 'primaryIps', (id) => ({
    ...common,
    id,
    name: `primary_ip-${id}`,
    type: 'ipv6',
    ip: ipv6For(ip),
  }));
  return { state: v6.state, ipv4: v4.item.id, ipv6: v6.item.id };
}
