/** SSH keys: looked up by name or fingerprint, unique in both. */
import { z } from 'zod';
import { apiErrors } from '../api-error.js';
import { labelsField, nameField, readBody } from '../http/body.js';
import { listed } from '../http/listing.js';
import { type Handler, owned } from '../http/route.js';
import { md5Fingerprint } from '../ssh-public-key.js';
import { inserted, type LabState, patched, removed } from '../state.js';
import { sshKeyView } from '../views/resources.js';

const noun = 'SSH key';
const createBody = z.object({ name: nameField, public_key: z.string(), labels: labelsField.default({}) });
const updateBody = z.object({ name: nameField.optional(), labels: labelsField.optional() });

function mine(state: LabState, project: string) {
  return state.sshKeys.filter((key) => key.project === project);
}

function assertNameFree(state: LabState, project: string, name: string, except?: number): void {
  const taken = mine(state, project).some((key) => key.name === name && key.id !== except);
  if (taken) throw apiErrors.taken('SSH key name is already used');
}

export const listSshKeys: Handler = (state, { query, project }) =>
  listed(query, 'ssh_keys', mine(state, project).map(sshKeyView), {
    sort: ['id', 'name'],
    filters: { name: (key) => key.name, fingerprint: (key) => key.fingerprint },
    labels: (key) => key.labels,
  });

export const getSshKey: Handler = (state, request) => ({
  status: 200,
  body: { ssh_key: sshKeyView(owned(state.sshKeys, request, noun)) },
});

export const createSshKey: Handler = (state, { body, project }, world) => {
  const { name, public_key: publicKey, labels } = readBody(createBody, body);
  const fingerprint = md5Fingerprint(publicKey);
  if (!fingerprint) {
    throw apiErrors.invalid([{ name: 'public_key', messages: ['is not an OpenSSH public key'] }]);
  }
  assertNameFree(state, project, name);
  if (mine(state, project).some((key) => key.fingerprint === fingerprint)) {
    throw apiErrors.taken('SSH key with the same fingerprint already exists', 'fingerprint');
  }
  const created = world.now();
  const added = inserted(state, 'sshKeys', (id) => ({
    id,
    project,
    name,
    fingerprint,
    publicKey,
    labels,
    created,
  }));
  return { status: 201, state: added.state, body: { ssh_key: sshKeyView(added.item) } };
};

export const updateSshKey: Handler = (state, request) => {
  const key = owned(state.sshKeys, request, noun);
  const { name = key.name, labels = key.labels } = readBody(updateBody, request.body);
  assertNameFree(state, request.project, name, key.id);
  const changed = { ...key, name, labels };
  return {
    status: 200,
    state: patched(state, 'sshKeys', key.id, changed),
    body: { ssh_key: sshKeyView(changed) },
  };
};

export const deleteSshKey: Handler = (state, request) => ({
  status: 204,
  state: removed(state, 'sshKeys', owned(state.sshKeys, request, noun).id),
});
