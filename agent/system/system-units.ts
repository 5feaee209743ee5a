/** The units of a built system, read from its store path: what it defines, and what its targets want. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SystemUnits } from '../apply/proof.js';

const suffix = /\.(service|socket|timer|mount|path|target|slice|automount|swap)$/;

export async function systemUnits(system: string): Promise<SystemUnits> {
  const dir = join(system, 'etc/systemd/system');
  const names = await readdir(dir).catch(() => [] as string[]);
  const wants = names.filter((name) => /\.target\.(wants|requires|upholds)$/.test(name));
  const wanted = await Promise.all(wants.map((name) => readdir(join(dir, name)).catch(() => [] as string[])));
  return {
    defined: names.filter((name) => suffix.test(name)).sort(),
    wanted: [...new Set(wanted.flat())].sort(),
  };
}
