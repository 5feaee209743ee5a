/** The part of cloud-init's user data that the lab's machines understand. */
import { parse } from 'yaml';
import { z } from 'zod';
import { Problem } from '../../shared/errors.js';

const file = z.strictObject({
  path: z
    .string()
    .regex(/^\/[^\0]+$/)
    .refine((path) => !path.split('/').includes('..'), 'must not contain ..'),
  content: z.string().default(''),
  encoding: z.enum(['b64', 'base64', 'text/plain']).default('text/plain'),
  permissions: z
    .string()
    .regex(/^0?[0-7]{3}$/)
    .default('0644'),
  owner: z.enum(['root', 'root:root']).default('root:root'),
});

// Strict, so that a key the lab would ignore is refused: on a real server it would do something.
const cloudConfig = z.strictObject({
  hostname: z.string().optional(),
  fqdn: z.string().optional(),
  ssh_deletekeys: z.boolean().optional(),
  ssh_genkeytypes: z.array(z.string()).optional(),
  ssh_keys: z.strictObject({ ed25519_private: z.string(), ed25519_public: z.string() }).optional(),
  ssh_authorized_keys: z.array(z.string()).default([]),
  ssh_pwauth: z.literal(false).optional(),
  disable_root: z.literal(false).optional(),
  write_files: z.array(file).default([]),
});

/** A file that user data asks for. */
export interface SeedFile {
  /** Absolute path inside the machine. */
  path: string;
  content: Buffer;
  mode: number;
}

/** What user data asks for, checked. */
export interface UserData {
  hostname: string | undefined;
  /** The host key to use; without one the machine gets a fresh key. */
  hostKey: { privateKey: string; publicKey: string } | undefined;
  authorizedKeys: readonly string[];
  files: readonly SeedFile[];
}

/** Reads user data; throws `lab.failed` for what the lab does not support, with the key. Null and blank mean nothing asked. */
export function parseUserData(text: string | null): UserData {
  if (text === null || text.trim() === '') return fromConfig(cloudConfig.parse({}));
  if (!/^#cloud-config\b/.test(text)) {
    throw new Problem('lab.failed', 'The lab understands user data of the form #cloud-config only', {
      next: 'begin the user data with a line `#cloud-config`',
    });
  }
  const result = cloudConfig.safeParse(readYaml(text) ?? {});
  if (result.success) return fromConfig(result.data);
  const [issue] = result.error.issues;
  throw new Problem('lab.failed', 'The user data has a part that the lab does not support', {
    where: issue?.path.join('.') || 'user data',
    reason: issue?.message ?? 'invalid',
    next: 'docs/reference/lab.md lists the supported keys of cloud-init',
  });
}

function readYaml(text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw Problem.from(error, 'lab.failed', { where: 'user data' });
  }
}

function fromConfig(config: z.infer<typeof cloudConfig>): UserData {
  const keys = config.ssh_keys;
  return {
    hostname: config.hostname,
    hostKey: keys && { privateKey: line(keys.ed25519_private), publicKey: line(keys.ed25519_public) },
    authorizedKeys: config.ssh_authorized_keys,
    files: config.write_files.map(({ path, content, encoding, permissions }) => ({
      path,
      content: Buffer.from(content, encoding === 'text/plain' ? 'utf8' : 'base64'),
      mode: Number.parseInt(permissions, 8),
    })),
  };
}

/** With exactly one line break at the end: OpenSSH rejects a private key without it. */
function line(text: string): string {
  return `${text.trimEnd()}\n`;
}
