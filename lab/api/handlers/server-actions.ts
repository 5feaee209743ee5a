/** `POST /servers/{id}/actions/…`: each adds one action; the runner does the work. */
import { z } from 'zod';
import { ApiError, apiErrors } from '../api-error.js';
import { serverTypes } from '../catalogue/server-types.js';
import { idOrNameField, labelsField, readBody } from '../http/body.js';
import type { ApiRequest, Handler } from '../http/route.js';
import type { ServerCommand } from '../server-status.js';
import { type Action, inserted, type LabState, patched, type Server } from '../state.js';
import { imageSources, imageView } from '../views/image.js';
import { actionView } from '../views/resources.js';
import type { World } from '../world.js';
import { withAction } from './actions.js';
import { assertRoomInGroup } from './placement-groups.js';
import { imageFor, userDataField } from './server-create.js';
import { idleServer } from './servers.js';

const rebuildBody = z.object({ image: idOrNameField, user_data: userDataField.nullish() });
const imageBody = z.object({
  type: z.enum(['snapshot', 'backup']).default('snapshot'),
  description: z.string().default(''),
  labels: labelsField.default({}),
});
const protectionBody = z.object({ delete: z.boolean().optional(), rebuild: z.boolean().optional() });
const groupBody = z.object({ placement_group: z.int() });

function acted(
  state: LabState,
  world: World,
  server: Server,
  command: Action['command'],
  status: 'running' | 'success' = 'running',
) {
  const resources = [{ id: server.id, type: 'server' }];
  return withAction(state, world, { project: server.project, command, resources }, status);
}

/** Power on and off, reboot, reset, shutdown: no body, one command. */
export function powerHandler(command: ServerCommand): Handler {
  return (state, request, world) => {
    const { state: next, action } = acted(state, world, idleServer(state, request), command);
    return { status: 201, state: next, body: { action: actionView(action) } };
  };
}

/** A fresh disk under the same id and addresses; without new user data the earlier one is used again. */
export const rebuildServer: Handler = (state, request, world) => {
  const server = idleServer(state, request);
  if (server.protected) throw new ApiError(423, 'protected', 'server rebuild is protected');
  const wanted = readBody(rebuildBody, request.body);
  const type = serverTypes.find((candidate) => candidate.id === server.serverType);
  if (!type) throw apiErrors.notFound('server type', server.serverType);
  const image = imageFor(imageSources(state, request.project), wanted.image, type);
  const userData = wanted.user_data ?? server.userData;
  const { state: next, action } = acted(
    patched(state, 'servers', server.id, { image: image.id, userData }),
    world,
    server,
    'rebuild_server',
  );
  const password = server.authorizedKeys.length > 0 ? null : world.password();
  return { status: 201, state: next, body: { action: actionView(action), root_password: password } };
};

export const createImage: Handler = (state, request, world) => {
  const server = idleServer(state, request);
  const wanted = readBody(imageBody, request.body);
  if (wanted.type === 'backup') throw apiErrors.unsupported('a backup');
  const source = imageSources(state, request.project).find((image) => image.id === server.image);
  const type = serverTypes.find((candidate) => candidate.id === server.serverType);
  const made = inserted(state, 'snapshots', (id) => ({
    id,
    project: request.project,
    description: wanted.description,
    status: 'creating',
    created: world.now(),
    createdFrom: { id: server.id, name: server.name },
    diskSize: type?.disk ?? 0,
    architecture: type?.architecture ?? 'x86',
    osFlavor: source?.osFlavor ?? 'unknown',
    osVersion: source?.osVersion ?? null,
    labels: wanted.labels,
    protected: false,
  }));
  const { state: next, action } = withAction(made.state, world, {
    project: request.project,
    command: 'create_image',
    resources: [
      { id: server.id, type: 'server' },
      { id: made.item.id, type: 'image' },
    ],
  });
  const image = imageView(next, request.project, made.item.id);
  return { status: 201, state: next, body: { action: actionView(action), image } };
};

function done(
  state: LabState,
  world: World,
  server: Server,
  command: Action['command'],
  change: Partial<Server>,
) {
  const { state: next, action } = acted(
    patched(state, 'servers', server.id, change),
    world,
    server,
    command,
    'success',
  );
  return { status: 201, state: next, body: { action: actionView(action) } };
}

export const protectServer: Handler = (state, request, world) => {
  const server = idleServer(state, request);
  const wanted = readBody(protectionBody, request.body);
  const protect = wanted.delete ?? wanted.rebuild ?? server.protected;
  if ((wanted.rebuild ?? protect) !== protect) {
    throw apiErrors.invalid([{ name: 'rebuild', messages: ['must equal delete'] }]);
  }
  return done(state, world, server, 'change_protection', { protected: protect });
};

export const joinPlacementGroup: Handler = (state, request, world) => {
  const server = idleServer(state, request);
  const { placement_group: group } = readBody(groupBody, request.body);
  if (server.status !== 'off') throw new ApiError(422, 'server_not_stopped', 'server must be stopped');
  assertRoomInGroup(state, request.project, group);
  return done(state, world, server, 'add_to_placement_group', { placementGroup: group });
};

export const leavePlacementGroup: Handler = (state, request, world) =>
  done(state, world, idleServer(state, request), 'remove_from_placement_group', { placementGroup: null });

/** Known to the real API, not to the lab: says so instead of a bare 404. */
export function unbuiltAction(name: string): Handler {
  return (state, request: ApiRequest) => {
    idleServer(state, request);
    throw apiErrors.unsupported(`server action ${name}`);
  };
}
