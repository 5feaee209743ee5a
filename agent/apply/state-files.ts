/** The agent's memory across restarts and power cuts: one JSON file per fact, replaced atomically and synced. */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Job, StoredResult } from './job.js';

/** What /etc/nixos holds and which system came of it. */
export interface Applied {
  revision: string;
  system: string;
}

export class StateFiles {
  constructor(private readonly dir: string) {}

  job = () => this.#read<Job>('job.json');
  putJob = (job: Job) => this.#write('job.json', job);
  dropJob = () => rm(join(this.dir, 'job.json'), { force: true });
  applied = () => this.#read<Applied>('applied.json');
  putApplied = (applied: Applied) => this.#write('applied.json', applied);
  result = () => this.#read<StoredResult>('result.json');
  putResult = (result: StoredResult) => this.#write('result.json', result);

  async #read<T>(name: string): Promise<T | undefined> {
    try {
      // Written by this program alone; a torn file cannot exist, a damaged disk reads as "nothing known".
      return JSON.parse(await readFile(join(this.dir, name), 'utf8')) as T;
    } catch {
      return undefined;
    }
  }

  async #write(name: string, value: unknown): Promise<void> {
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    const part = join(this.dir, `${name}.part`);
    const file = await open(part, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(value, null, 1)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, join(this.dir, name));
  }
}
