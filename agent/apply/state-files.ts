/** The agent's memory across restarts and power cuts: one JSON file per fact, replaced atomically and synced. */
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { agentDefaults as defaults } from '../defaults.js';
import type { Fence } from './fence.js';
import type { Job, StoredResult } from './job.js';

/** What /etc/nixos holds and which system came of it. */
export interface Applied {
  revision: string;
  system: string;
}

const ballast = 'ballast';

export class StateFiles {
  constructor(private readonly dir: string) {}

  /** As it was left, perhaps by another release of this program: `isJob` tells. */
  job = () => this.read<Partial<Job>>('job.json');
  putJob = (job: Job) => this.write('job.json', job);
  dropJob = () => rm(join(this.dir, 'job.json'), { force: true });
  applied = () => this.read<Applied>('applied.json');
  putApplied = (applied: Applied) => this.#writeWithBallast('applied.json', applied);
  /** Newest first. */
  results = async () => (await this.read<StoredResult[]>('results.json')) ?? [];
  putResult = async (result: StoredResult) => {
    const others = (await this.results()).filter((one) => one.order !== result.order);
    await this.#writeWithBallast('results.json', [result, ...others].slice(0, defaults.resultsKept));
  };
  /** A release before epochs wrote none: that was the first. */
  fence = async (): Promise<Fence> => ({
    ...{ epoch: 0, token: 0, change: 0 },
    ...(await this.read<Partial<Fence>>('fence.json')),
  });
  /** Without the ballast: it comes before anything is done, and what comes after would find no room either. */
  putFence = (fence: Fence) => this.write('fence.json', fence);

  async read<T>(name: string): Promise<T | undefined> {
    try {
      // Written by this program alone; a torn file cannot exist, a damaged disk reads as "nothing known".
      return JSON.parse(await readFile(join(this.dir, name), 'utf8')) as T;
    } catch {
      return undefined;
    }
  }

  /** Throws, with the former file whole, when it cannot be written. */
  async write(name: string, value: unknown): Promise<void> {
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    const part = join(this.dir, `${name}.part`);
    try {
      const file = await open(part, 'w', 0o600);
      try {
        await file.writeFile(`${JSON.stringify(value, null, 1)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(part, join(this.dir, name));
    } catch (error) {
      await rm(part, { force: true }).catch(() => {});
      throw error;
    }
  }

  /** Keeps some room, so that the end of a job can be told on a disk that is full by then. */
  async keepBallast(): Promise<void> {
    const path = join(this.dir, ballast);
    if (await stat(path).catch(() => undefined)) return;
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    const file = await open(path, 'w', 0o600).catch(() => undefined);
    // Without room now there may be some later.
    await file?.writeFile(Buffer.alloc(defaults.ballastBytes, 1)).catch(() => {});
    await file?.close();
  }

  async #writeWithBallast(name: string, value: unknown): Promise<void> {
    try {
      await this.write(name, value);
    } catch {
      await rm(join(this.dir, ballast), { force: true });
      await this.write(name, value);
    }
  }
}
