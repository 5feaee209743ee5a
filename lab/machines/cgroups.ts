/** One cgroup per machine, on hosts with the unified tree and on hosts with one tree per controller. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '../../shared/errors.js';
import { labDefaults } from '../defaults.js';
import { until } from '../wait.js';

const mount = '/sys/fs/cgroup';

/** Trees in which the lab has a folder. `memory` and `pids` let tests limit a machine. */
function trees(): string[] {
  if (existsSync(join(mount, 'cgroup.controllers'))) return [mount];
  return ['systemd', 'unified', 'memory', 'pids']
    .map((name) => join(mount, name))
    .filter((path) => existsSync(path));
}

/** Folders of a group in all trees, e.g. `('lab-1a2b3c', 's42')`. */
export function cgroupDirs(lab: string, group: string): string[] {
  return trees().map((tree) => join(tree, lab, group));
}

/**
 * Makes the groups of a machine and of the supervisors. These are siblings: with processes in the parent the unified
 * tree would keep the controllers from the machines.
 */
export async function makeCgroups(
  lab: string,
  id: string,
): Promise<{ supervisor: string[]; machine: string[] }> {
  const supervisor = cgroupDirs(lab, supervisors);
  const machine = cgroupDirs(lab, id);
  for (const dir of [...supervisor, ...machine]) await mkdir(dir, { recursive: true });
  if (trees()[0] === mount) await delegate(join(mount, lab));
  return { supervisor, machine };
}

/** Name of the group beside the machines'; longer than any machine's id may be. */
const supervisors = 'supervisors';

/** Hands every controller down that the host lets us have; each alone, because one refused write refuses all. */
async function delegate(dir: string): Promise<void> {
  for (const controller of ['cpu', 'cpuset', 'io', 'memory', 'pids']) {
    await writeFile(join(dir, 'cgroup.subtree_control'), `+${controller}`).catch(() => undefined);
  }
}

/** Removes a machine's groups and all below; the kernel may need some ms after the last process has gone. */
export async function removeCgroups(lab: string, id: string): Promise<void> {
  for (const dir of cgroupDirs(lab, id)) await removeTree(dir);
}

/** Removes the lab's folders in all trees. */
export async function removeLabCgroups(lab: string): Promise<void> {
  for (const tree of trees()) await removeTree(join(tree, lab));
}

async function removeTree(dir: string): Promise<void> {
  const gone = await until(() => tryRemove(dir), labDefaults.killMs);
  if (!gone) throw new Problem('lab.failed', `The cgroup ${dir} cannot be removed; it still holds processes`);
}

async function tryRemove(dir: string): Promise<boolean> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await tryRemove(join(dir, entry.name));
  return rmdir(dir).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );
}
