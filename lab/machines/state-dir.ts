/** What the driver keeps on disk, so that any later process can find, operate and remove the machines. */
import { createHash } from 'node:crypto';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '../../shared/errors.js';
import { labDefaults } from '../defaults.js';
import type { MachineSpec } from './driver.js';
import type { ProcessStamp } from './process.js';

/** `machine.json`: written last when a machine is made, so its presence says that the rest is complete. */
export interface MachineRecord {
  spec: MachineSpec;
  /** Layers below the machine's own, topmost first; fixed for its life. */
  layers: readonly string[];
}

/** `run.json`: the processes of a machine that was started; they may be gone. */
export interface RunRecord {
  /** Parent outside of the namespaces. */
  launcher: ProcessStamp;
  /** Pid 1 of the machine's outer namespaces: killing it is the power cut. */
  supervisor: ProcessStamp;
}

export interface StateDir {
  root: string;
  machines: string;
  images: string;
  /** The process that holds the network namespace of the switch. */
  switch: string;
  /** Short name that no other lab on this host has: for links and cgroups. At most 10 characters. */
  tag: string;
}

/** Layout below the lab's folder; default `$NIX_INFRA_LAB_DIR`, else `/var/lib/nix-infra-lab`. */
export function stateDir(root: string = process.env.NIX_INFRA_LAB_DIR || labDefaults.stateDir): StateDir {
  return {
    root,
    machines: join(root, 'machines'),
    images: join(root, 'images'),
    switch: join(root, 'switch.json'),
    tag: `lab-${createHash('sha256').update(root).digest('hex').slice(0, 6)}`,
  };
}

/** Folders and files of one machine. */
export function machinePaths(dir: StateDir, id: string) {
  const root = join(dir.machines, id);
  return {
    root,
    record: join(root, 'machine.json'),
    run: join(root, 'run.json'),
    upper: join(root, 'upper'),
    work: join(root, 'work'),
    mount: join(root, 'root'),
    containers: join(root, 'disk/containers'),
    machineId: join(root, 'machine-id'),
    console: join(root, 'console.log'),
    /** There while the network cable is out. */
    unplugged: join(root, 'unplugged'),
  };
}

/** The id, or throws: it becomes a folder, a link and a cgroup. */
export function checkedId(id: string, what = 'machine'): string {
  const pattern = what === 'machine' ? /^[a-z0-9]{1,10}$/ : /^[a-z0-9][a-z0-9.-]{0,62}$/;
  if (pattern.test(id)) return id;
  throw new Problem('lab.failed', `"${id.slice(0, 80)}" is not a valid ${what} id`);
}

/** Ids of all machines, finished or not. */
export async function machineIds(dir: StateDir): Promise<string[]> {
  return (await readdir(dir.machines).catch(() => [])).filter((name) => /^[a-z0-9]{1,10}$/.test(name));
}

/** Layers that machines and snapshots of the lab in this folder stand on. */
export async function layersInUse(root?: string): Promise<ReadonlySet<string>> {
  const dir = stateDir(root);
  const images = (await readdir(dir.images).catch(() => [])).map((name) =>
    join(dir.images, name, 'image.json'),
  );
  const machines = (await machineIds(dir)).map((id) => machinePaths(dir, id).record);
  const records = await Promise.all(
    [...images, ...machines].map((path) => readJson<{ layers: string[] }>(path)),
  );
  return new Set(records.flatMap((record) => record?.layers ?? []));
}

/** The file's content, or undefined when there is no such file. */
export async function readJson<T>(path: string): Promise<T | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

/** Writes so that a reader, also after a kill, sees the old content or the new and nothing between. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(`${path}.tmp`, `${JSON.stringify(value, null, 2)}\n`);
  await rename(`${path}.tmp`, path);
}
