/** Images: those of the catalogue cannot be changed, snapshots of the project can. */
import { z } from 'zod';
import { apiErrors } from '../api-error.js';
import { labelsField, readBody } from '../http/body.js';
import { listed } from '../http/listing.js';
import { type ApiRequest, type Handler, idOf } from '../http/route.js';
import { type LabState, patched, removed, type Snapshot } from '../state.js';
import { imageView, imageViews } from '../views/image.js';
import { actionView } from '../views/resources.js';
import { withAction } from './actions.js';

const noun = 'image';
const updateBody = z.object({ description: z.string().optional(), labels: labelsField.optional() });
const protectionBody = z.object({ delete: z.boolean().optional() });

export const listImages: Handler = (state, { query, project }) =>
  listed(query, 'images', imageViews(state, project), {
    sort: ['id', 'name', 'created'],
    filters: {
      name: (image) => image.name,
      type: (image) => image.type,
      status: (image) => image.status,
      architecture: (image) => image.architecture,
      bound_to: (image) => image.bound_to,
    },
    labels: (image) => image.labels,
  });

export const getImage: Handler = (state, request) => {
  const image = imageView(state, request.project, idOf(request));
  if (!image) throw apiErrors.notFound(noun, idOf(request));
  return { status: 200, body: { image } };
};

/** A snapshot of the project, or an error that says why this image cannot be changed. */
function ownSnapshot(state: LabState, request: ApiRequest): Snapshot {
  const id = idOf(request);
  const found = state.snapshots.find((s) => s.id === id && s.project === request.project);
  if (found) return found;
  throw imageView(state, request.project, id) ? apiErrors.protected(noun) : apiErrors.notFound(noun, id);
}

export const updateImage: Handler = (state, request) => {
  const snapshot = ownSnapshot(state, request);
  const { description = snapshot.description, labels = snapshot.labels } = readBody(updateBody, request.body);
  const next = patched(state, 'snapshots', snapshot.id, { description, labels });
  return { status: 200, state: next, body: { image: imageView(next, request.project, snapshot.id) } };
};

export const deleteImage: Handler = (state, request) => {
  const snapshot = ownSnapshot(state, request);
  if (snapshot.protected) throw apiErrors.protected(noun);
  if (snapshot.status === 'creating') throw apiErrors.locked(noun);
  return { status: 204, state: removed(state, 'snapshots', snapshot.id) };
};

export const protectImage: Handler = (state, request, world) => {
  const snapshot = ownSnapshot(state, request);
  const wanted = readBody(protectionBody, request.body).delete ?? snapshot.protected;
  const { state: next, action } = withAction(
    patched(state, 'snapshots', snapshot.id, { protected: wanted }),
    world,
    {
      project: request.project,
      command: 'change_protection',
      resources: [{ id: snapshot.id, type: 'image' }],
    },
    'success',
  );
  return { status: 201, state: next, body: { action: actionView(action) } };
};
