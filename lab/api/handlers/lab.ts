/** The lab's own verbs below /_lab: faults, power cuts and pulled cables. No real cloud has them. */
import { z } from 'zod';
import { apiErrors } from '../api-error.js';
import { readBody } from '../http/body.js';
import type { Effect, Handler } from '../http/route.js';
import { inserted, machineId, removed, runningActions } from '../state.js';

const count = z.int().min(1).max(1_000_000).default(1);
const requestFault = z.object({
  kind: z.literal('request').default('request'),
  method: z
    .string()
    .regex(/^([A-Z]+|\*)$/, 'must be a method in capitals or *')
    .default('*'),
  path: z.string().startsWith('/v1/', 'must start with /v1/'),
  effect: z.enum(['refuse', 'lose-reply']).default('refuse'),
  status: z.int().min(400).max(599).default(500),
  code: z.string().min(1).nullable().default(null),
  message: z.string().default('injected by the lab'),
  headers: z.record(z.string().regex(/^[A-Za-z0-9-]+$/), z.string().regex(/^[\x20-\x7e]*$/)).default({}),
  count,
});
const serverFault = z.object({
  kind: z.enum(['no-boot', 'wrong-host-key', 'fail-action']),
  server: z.string().min(1),
  command: z.string().nullable().default(null),
  count,
});

export const addFault: Handler = (state, { body, project }) => {
  const kind = (body as { kind?: unknown }).kind ?? 'request';
  const wanted = kind === 'request' ? readBody(requestFault, body) : readBody(serverFault, body);
  if (wanted.kind === 'fail-action' && wanted.command === null) {
    throw apiErrors.invalid([{ name: 'command', messages: ['is required for fail-action'] }]);
  }
  const added = inserted(state, 'faults', (id) => ({ ...wanted, id, project }));
  return { status: 201, state: added.state, body: { fault: added.item } };
};

export const listFaults: Handler = (state, { project }) => ({
  status: 200,
  body: { faults: state.faults.filter((fault) => fault.project === project) },
});

export const clearFaults: Handler = (state, { project }) => ({
  status: 204,
  state: { ...state, faults: state.faults.filter((fault) => fault.project !== project) },
});

export const removeFault: Handler = (state, request) => {
  const id = Number(request.params.id);
  if (!state.faults.some((fault) => fault.id === id && fault.project === request.project)) {
    throw apiErrors.notFound('fault', id);
  }
  return { status: 204, state: removed(state, 'faults', id) };
};

/** What the CLI needs to find machines: names, addresses, driver keys. No tokens, no user data. */
export const labState: Handler = (state, { project }, world) => ({
  status: 200,
  body: {
    project,
    profile: world.profile,
    network: world.network,
    servers: state.servers
      .filter((server) => server.project === project)
      .map((server) => ({
        id: server.id,
        name: server.name,
        machine: machineId(server.id),
        status: server.status,
        ipv4: state.primaryIps.find((address) => address.id === server.ipv4)?.ip ?? null,
        labels: server.labels,
        locked: runningActions(state, server.id).length > 0,
      })),
    faults: state.faults.filter((fault) => fault.project === project),
  },
});

/** `from` is of `cut` alone; the other verbs have no use for a body. */
const cutBody = z.object({ from: z.array(z.string().min(1)).default([]) });

export function serverVerb(verb: Effect['verb']): Handler {
  return (state, { params, project, body }) => {
    const named = (name: string) => {
      const server = state.servers.find((item) => item.project === project && item.name === name);
      if (!server) throw apiErrors.notFound('server', name);
      return server;
    };
    const server = named(params.name ?? '');
    const from = verb === 'cut' ? readBody(cutBody, body).from.map(named) : [];
    if (from.some(({ id }) => id === server.id)) {
      throw apiErrors.invalid([{ name: 'from', messages: ['is the server itself'] }]);
    }
    if (runningActions(state, server.id).length > 0) throw apiErrors.locked('server');
    return {
      status: 200,
      effect: { verb, server: server.id, from: from.map(({ id }) => id) },
      body: { server: { id: server.id, name: server.name }, verb },
    };
  };
}
