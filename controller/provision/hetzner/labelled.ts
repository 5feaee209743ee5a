/** SSH keys and the removal of labelled things: what the cluster owns by its label in a project that it may share. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Problem } from '../../../shared/errors.js';
import { CLUSTER_LABEL } from '../provider.js';
import type { HetznerClient } from './client.js';
import { hasCode } from './failure.js';
import { sshKey } from './wire.js';

const path = '/ssh_keys';
const labelled = z.object({ id: z.int(), labels: z.record(z.string(), z.string()) });

/** Makes the key known; returns the name that the project knows it by, since a key can be in a project only once. */
export async function ensureKey(
  client: HetznerClient,
  name: string,
  publicKey: string,
  cluster: string,
): Promise<string> {
  const [found] = await client.list(path, 'ssh_keys', sshKey, { name });
  if (found && material(found.public_key) === material(publicKey)) return name;
  if (found) {
    if (found.labels[CLUSTER_LABEL] !== cluster) {
      throw new Problem('provider.rejected', `The cloud project has another SSH key named ${name}`, {
        next: 'give SSH_KEY in .env another name, or remove the key from the cloud project',
      });
    }
    await client.request('DELETE', `${path}/${found.id}`);
  }
  try {
    const body = { name, public_key: publicKey.trim(), labels: { [CLUSTER_LABEL]: cluster } };
    await client.request('POST', path, { body });
    return name;
  } catch (error) {
    // There under some name: from the request whose answer was lost, or put there by a person.
    const query = { fingerprint: fingerprintOf(publicKey) };
    const [same] = await client.list(path, 'ssh_keys', sshKey, query);
    if (same) return same.name;
    throw error;
  }
}

/** Removes the thing of that name when it carries the cluster's label; absent is fine. */
export async function removeLabelled(
  client: HetznerClient,
  collection: string,
  key: string,
  name: string,
  cluster: string,
): Promise<void> {
  const found = await client.list(collection, key, labelled, { name });
  for (const { id, labels } of found) {
    if (labels[CLUSTER_LABEL] !== cluster) continue;
    try {
      await client.request('DELETE', `${collection}/${id}`);
    } catch (error) {
      if (!hasCode(error, 'not_found')) throw error;
    }
  }
}

/** Type and key without the comment. */
function material(publicKey: string): string {
  return publicKey.trim().split(/\s+/).slice(0, 2).join(' ');
}

/** MD5 in hex pairs: how Hetzner names a key. */
function fingerprintOf(publicKey: string): string {
  const blob = Buffer.from(publicKey.trim().split(/\s+/)[1] ?? '', 'base64');
  return (createHash('md5').update(blob).digest('hex').match(/../g) ?? []).join(':');
}
