/** What the project keeps about its cluster in `.nix-infra/cluster.json`: made once, then fixed for the cluster's life. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Problem } from '../../shared/errors.js';

const shape = z.object({
  /** Makes the etcd token of two clusters with one name differ. */
  uuid: z.uuid(),
  /** NixOS release the cluster was installed with (system.stateVersion). */
  stateVersion: z.string(),
});

export type ClusterState = z.infer<typeof shape>;

/** Reads the state, making it at the first call. `uuid` is used for a new one; default: a random one. */
export async function ensureClusterState(
  dir: string,
  nixos: string,
  uuid: string = randomUUID(),
): Promise<ClusterState> {
  const path = join(dir, '.nix-infra', 'cluster.json');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) {
    const made = { uuid, stateVersion: nixos };
    await mkdir(join(dir, '.nix-infra'), { recursive: true, mode: 0o700 });
    await writeFile(`${path}.part`, `${JSON.stringify(made, null, 2)}\n`);
    await rename(`${path}.part`, path);
    return made;
  }
  try {
    return shape.parse(JSON.parse(text));
  } catch (cause) {
    throw new Problem('project.invalid', 'The state of the project cannot be read', {
      where: path,
      cause,
      next: 'restore it from a backup; with no cluster running, remove it',
    });
  }
}
