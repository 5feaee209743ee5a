/** Servers: read, rename, delete. */
import { z } from 'zod';
import { apiErrors } from '../api-error.js';
import { hostNameField, labelsField, readBody } from '../http/body.js';
import { listed } from '../http/listing.js';
import { type ApiRequest, type Handler, owned } from '../http/route.js';
import { type LabState, patched, runningActions, type Server } from '../state.js';
import { actionView } from '../views/resources.js';
import { serverView } from '../views/server.js';
import { withAction } from './actions.js';

const updateBody = z.object({ name: hostNameField.optional(), labels: labelsField.optional() });

export function ownServer(state: LabState, request: ApiRequest): Server {
  return owned(state.servers, request, 'server');
}

/** The server of the path, when no action holds it. */
export function idleServer(state: LabState, request: ApiRequest): Server {
  const server = ownServer(state, request);
  if (runningActions(state, server.id).length > 0) throw apiErrors.locked('server');
  return server;
}

export const listServers: Handler = (state, { query, project }, world) =>
  listed(
    query,
    'servers',
    state.servers
      .filter((server) => server.project === project)
      .map((server) => serverView(state, server, world.profile)),
    {
      sort: ['id', 'name', 'created'],
      filters: { name: (server) => server.name, status: (server) => server.status },
      labels: (server) => server.labels,
    },
  );

export const getServer: Handler = (state, request, world) => ({
  status: 200,
  body: { server: serverView(state, ownServer(state, request), world.profile) },
});

export const updateServer: Handler = (state, request, world) => {
  const server = ownServer(state, request);
  const { name = server.name, labels = server.labels } = readBody(updateBody, request.body);
  const taken = state.servers.some(
    (other) => other.project === request.project && other.name === name && other.id !== server.id,
  );
  if (taken) throw apiErrors.taken('server name is already used');
  const changed = { ...server, name, labels };
  const next = patched(state, 'servers', server.id, changed);
  return { status: 200, state: next, body: { server: serverView(next, changed, world.profile) } };
};

/** The server stays visible as `deleting` until its machine is gone; its address is free only then. */
export const deleteServer: Handler = (state, request, world) => {
  const server = idleServer(state, request);
  if (server.protected) throw apiErrors.protected('server');
  const { state: next, action } = withAction(
    patched(state, 'servers', server.id, { status: 'deleting' }),
    world,
    { project: request.project, command: 'delete_server', resources: [{ id: server.id, type: 'server' }] },
  );
  return { status: 200, state: next, body: { action: actionView(action) } };
};
