/** Placement groups: bookkeeping, with the real limit of ten servers. */
import { z } from 'zod';
import { ApiError, apiErrors } from '../api-error.js';
import { labApiDefaults } from '../defaults.js';
import { labelsField, nameField, readBody } from '../http/body.js';
import { listed } from '../http/listing.js';
import { type Handler, owned } from '../http/route.js';
import { inserted, type LabState, patched, removed } from '../state.js';
import { placementGroupView } from '../views/resources.js';

const noun = 'placement group';
const createBody = z.object({
  name: nameField,
  type: z.literal('spread', 'must be spread'),
  labels: labelsField.default({}),
});
const updateBody = z.object({ name: nameField.optional(), labels: labelsField.optional() });

function mine(state: LabState, project: string) {
  return state.placementGroups.filter((group) => group.project === project);
}

function assertNameFree(state: LabState, project: string, name: string, except?: number): void {
  const taken = mine(state, project).some((group) => group.name === name && group.id !== except);
  if (taken) throw apiErrors.taken('placement group name is already used');
}

/** Throws unless the project's group exists and takes one more server. */
export function assertRoomInGroup(state: LabState, project: string, id: number): void {
  if (!mine(state, project).some((group) => group.id === id)) throw apiErrors.notFound(noun, id);
  const members = state.servers.filter((server) => server.placementGroup === id).length;
  if (members >= labApiDefaults.placementGroupMembers) throw apiErrors.groupFull(id, members);
}

export const listPlacementGroups: Handler = (state, { query, project }) =>
  listed(
    query,
    'placement_groups',
    mine(state, project).map((group) => placementGroupView(state, group)),
    {
      sort: ['id', 'name', 'created'],
      filters: { name: (group) => group.name, type: (group) => group.type },
      labels: (group) => group.labels,
    },
  );

export const getPlacementGroup: Handler = (state, request) => ({
  status: 200,
  body: { placement_group: placementGroupView(state, owned(state.placementGroups, request, noun)) },
});

export const createPlacementGroup: Handler = (state, { body, project }, world) => {
  const { name, labels } = readBody(createBody, body);
  assertNameFree(state, project, name);
  if (mine(state, project).length >= labApiDefaults.placementGroupLimit) {
    throw apiErrors.limit('placement group limit exceeded', 'placement_group_limit');
  }
  const created = world.now();
  const added = inserted(state, 'placementGroups', (id) => ({ id, project, name, labels, created }));
  return {
    status: 201,
    state: added.state,
    body: { placement_group: placementGroupView(added.state, added.item), action: null },
  };
};

export const updatePlacementGroup: Handler = (state, request) => {
  const group = owned(state.placementGroups, request, noun);
  const { name = group.name, labels = group.labels } = readBody(updateBody, request.body);
  assertNameFree(state, request.project, name, group.id);
  const changed = { ...group, name, labels };
  return {
    status: 200,
    state: patched(state, 'placementGroups', group.id, changed),
    body: { placement_group: placementGroupView(state, changed) },
  };
};

export const deletePlacementGroup: Handler = (state, request) => {
  const group = owned(state.placementGroups, request, noun);
  if (state.servers.some((server) => server.placementGroup === group.id)) {
    throw new ApiError(422, 'resource_in_use', 'placement group is still in use');
  }
  return { status: 204, state: removed(state, 'placementGroups', group.id) };
};
