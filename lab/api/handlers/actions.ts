/** Actions: they are found under their resource, by id and in bulk, and they outlive what they acted on. */
import { apiErrors } from '../api-error.js';
import { listed } from '../http/listing.js';
import { type ApiRequest, type Handler, idOf } from '../http/route.js';
import { type Action, inserted, type LabState } from '../state.js';
import { actionView } from '../views/resources.js';
import type { World } from '../world.js';

type ActionSeed = Pick<Action, 'project' | 'command' | 'resources'>;

/** Adds an action; it is `running` and for the runner to carry out, or already done. */
export function withAction(
  state: LabState,
  world: World,
  seed: ActionSeed,
  status: 'running' | 'success' = 'running',
): { state: LabState; action: Action } {
  const now = world.now();
  const finished = status === 'success' ? now : null;
  const added = inserted(state, 'actions', (id) => ({
    id,
    ...seed,
    status,
    started: now,
    finished,
    error: null,
  }));
  return { state: added.state, action: added.item };
}

function mine(state: LabState, request: ApiRequest): readonly Action[] {
  return state.actions.filter((action) => action.project === request.project);
}

function oneOf(actions: readonly Action[], id: number) {
  const action = actions.find((candidate) => candidate.id === id);
  if (!action) throw apiErrors.notFound('action', id);
  return { status: 200, body: { action: actionView(action) } };
}

const resourceRules = {
  sort: ['id', 'command', 'status', 'started', 'finished'],
  filters: { id: (row: { id: number }) => row.id, status: (row: { status: string }) => row.status },
} as const;

/** `GET /actions?id=`: the polling endpoint. Without ids it is gone since 2025. */
export const listByIds: Handler = (state, request) => {
  if (!request.query.has('id'))
    throw apiErrors.gone('listing all actions', '2025-01-30-actions-list-removed');
  return listed(request.query, 'actions', mine(state, request).map(actionView), {
    filters: resourceRules.filters,
  });
};

export const getAction: Handler = (state, request) => oneOf(mine(state, request), idOf(request));

function ofType(state: LabState, request: ApiRequest, type: string): readonly Action[] {
  return mine(state, request).filter((action) => action.resources.some((r) => r.type === type));
}

function ofResource(state: LabState, request: ApiRequest, type: string): readonly Action[] {
  const id = idOf(request);
  const actions = ofType(state, request, type).filter((action) => action.resources.some((r) => r.id === id));
  if (actions.length === 0) throw apiErrors.notFound(type, id);
  return actions;
}

/** The four ways to reach actions below a collection, e.g. `/v1/servers/{id}/actions`. */
export function actionHandlers(type: string): {
  all: Handler;
  one: Handler;
  ofResource: Handler;
  oneOfResource: Handler;
} {
  return {
    all: (state, request) =>
      listed(request.query, 'actions', ofType(state, request, type).map(actionView), resourceRules),
    one: (state, request) => oneOf(ofType(state, request, type), idOf(request)),
    ofResource: (state, request) =>
      listed(request.query, 'actions', ofResource(state, request, type).map(actionView), resourceRules),
    oneOfResource: (state, request) => oneOf(ofResource(state, request, type), idOf(request, 'action')),
  };
}
