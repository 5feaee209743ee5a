/** Takes a whole lab away, whoever made it and whatever became of that process. */
import { rmdir } from 'node:fs/promises';
import { releaseLayers } from '../image/claims.js';
import { must } from '../run.js';
import { removeLabCgroups } from './cgroups.js';
import { labNetwork, Switch } from './network.js';
import { createNspawnDriver } from './nspawn-driver.js';
import { machineIds, stateDir } from './state-dir.js';

/**
 * Destroys all machines, snapshots and the switch of the lab in `root` (default as in `stateDir`). The folder itself
 * goes when nothing else is in it. Safe to run again at any point; a lab that is not there is fine.
 */
export async function destroyAll(root?: string): Promise<{ machines: number }> {
  const dir = stateDir(root);
  const driver = createNspawnDriver({ images: {}, dir: dir.root });
  const ids = await machineIds(dir);
  await Promise.all(ids.map((id) => driver.destroy(id)));
  await new Switch(dir, labNetwork()).destroy();
  await removeLabCgroups(dir.tag);
  await must(['rm', '-rf', '--one-file-system', dir.machines, dir.images]);
  await releaseLayers(dir.root);
  await rmdir(dir.root).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTEMPTY') throw error;
  });
  return { machines: ids.length };
}
