/** `etcd snapshot`: what etcd holds, in a file that is whole or not there. */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { Problem } from '../../shared/errors.js';
import type { Operator } from '../operator-client/operator-client.js';
import type { Project } from '../project/folder.js';
import { openSession } from './session.js';
import { SnapshotCheck } from './snapshot-check.js';

export interface Snapshot {
  file: string;
  bytes: number;
}

/** The name of a snapshot that nobody named: `<cluster>-etcd-20260102T030405Z.db`. */
export function snapshotName(cluster: string, now: Date): string {
  return `${cluster}-etcd-${timeStamp(now)}.db`;
}

/** UTC, without anything that a file name or a unit would mind. */
export function timeStamp(now: Date): string {
  return now.toISOString().replace(/[-:]|\.\d+/g, '');
}

export async function takeSnapshot(project: Project, file: string, signal: AbortSignal): Promise<Snapshot> {
  const { convergence } = await openSession(project);
  try {
    await convergence.locate();
    return await writeSnapshot(await convergence.connected(), file, signal);
  } finally {
    convergence.close();
  }
}

/** Beside the file first, then checked, then in its place. Only the owner may read it: it holds everything that etcd does. */
export async function writeSnapshot(
  operator: Pick<Operator, 'snapshotEtcd'>,
  file: string,
  signal: AbortSignal,
): Promise<Snapshot> {
  const part = `${file}.part`;
  await rm(part, { force: true });
  const handle = await open(part, 'wx', 0o600);
  try {
    const bytes = await receive(operator, handle, signal);
    await handle.sync();
    await handle.close();
    await rename(part, file);
    return { file, bytes };
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(part, { force: true });
    throw error;
  }
}

async function receive(
  operator: Pick<Operator, 'snapshotEtcd'>,
  handle: FileHandle,
  signal: AbortSignal,
): Promise<number> {
  let check = new SnapshotCheck();
  const begin = async () => {
    check = new SnapshotCheck();
    await handle.truncate(0);
  };
  for await (const chunk of operator.snapshotEtcd(begin, signal)) {
    const at = check.size;
    check.add(chunk);
    await handle.write(chunk, 0, chunk.length, at);
  }
  const wrong = check.wrong();
  if (wrong !== undefined)
    throw new Problem('etcd.snapshot', 'What etcd sent is not whole', { reason: wrong });
  return check.size;
}

/** Its content, checked. Throws `etcd.snapshot`. */
export async function readSnapshot(file: string): Promise<Buffer> {
  const handle = await open(file, 'r').catch((cause: unknown) => {
    throw Problem.from(cause, 'etcd.snapshot', { where: file });
  });
  try {
    const content = await handle.readFile();
    const check = new SnapshotCheck();
    check.add(content);
    const wrong = check.wrong();
    if (wrong !== undefined)
      throw new Problem('etcd.snapshot', `${file} is not a whole snapshot of etcd`, {
        where: file,
        reason: wrong,
      });
    return content;
  } finally {
    await handle.close();
  }
}
