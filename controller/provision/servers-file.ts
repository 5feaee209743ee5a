/** Reads servers.yaml: machines that the operator has already, in the predecessor's format. */
import { readFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { Problem } from '../../shared/errors.js';
import { isName } from '../../shared/names.js';

export const serversFileName = 'servers.yaml';

const entry = z
  .object({
    ip: z.union([z.ipv4(), z.ipv6()]).optional(),
    provider: z.literal('hetzner').optional(),
    ssh_key: z.string().min(1),
    username: z.string().min(1).default('root'),
  })
  .refine(({ ip, provider }) => (ip === undefined) !== (provider === undefined), {
    message: 'needs exactly one of ip and provider',
  });
const file = z.object({
  servers: z.record(z.string().refine(isName, 'is not a valid node name'), entry),
});

export interface OwnServer {
  name: string;
  /** Its address; undefined when the cloud knows it. */
  ip: string | undefined;
  /** Absolute path of the private key. */
  keyFile: string;
  user: string;
}

/** The servers of the file by name; undefined when there is no file. Throws `config.invalid` with the place of the fault. */
export async function readServersFile(projectDir: string): Promise<OwnServer[] | undefined> {
  const path = join(projectDir, serversFileName);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw Problem.from(error, 'config.invalid', { where: path });
  }
  const result = file.safeParse(yamlOf(text));
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new Problem('config.invalid', `${serversFileName} is not valid`, {
      where: [serversFileName, ...(issue?.path ?? [])].join(': '),
      reason: issue?.message ?? 'invalid',
      next: 'correct it: each server needs ssh_key and exactly one of ip and provider',
    });
  }
  return Object.entries(result.data.servers).map(([name, { ip, ssh_key, username }]) => ({
    name,
    ip,
    keyFile: isAbsolute(ssh_key) ? ssh_key : resolve(projectDir, ssh_key),
    user: username,
  }));
}

function yamlOf(text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw Problem.from(error, 'config.invalid', { where: serversFileName });
  }
}
