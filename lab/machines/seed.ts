/** Writes what makes a machine itself (name, keys, id) into its own layer, before it boots for the first time. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { must } from '../run.js';
import type { MachineSpec } from './driver.js';
import type { SeedFile } from './user-data.js';
import { parseUserData } from './user-data.js';

/** Seeds the folder `upper`; `machineId` is the file that the supervisor reads the id from. Throws for bad user data. */
export async function seed(spec: MachineSpec, upper: string, machineId: string): Promise<void> {
  const asked = parseUserData(spec.userData);
  const hostname = asked.hostname ?? spec.hostname;
  const id = randomBytes(16).toString('hex');
  const key = asked.hostKey ?? (await freshHostKey(join(dirname(machineId), 'host-key'), hostname));
  const authorized = [...spec.authorizedKeys, ...asked.authorizedKeys]
    .map((text) => `${text.trim()}\n`)
    .join('');

  // These modes override the base image's, whatever the umask of this process is.
  for (const [path, mode] of [
    ['.', 0o755],
    ['etc', 0o755],
    ['etc/ssh', 0o755],
    ['root', 0o700],
    ['root/.ssh', 0o700],
  ] as const) {
    await mkdir(join(upper, path), { recursive: true });
    await chmod(join(upper, path), mode);
  }
  const files: SeedFile[] = [
    text('/etc/machine-id', `${id}\n`, 0o444),
    text('/etc/hostname', `${hostname}\n`),
    text('/etc/hosts', `127.0.0.1 localhost\n::1 localhost\n${spec.ipv4} ${hostname}\n`),
    // Empty: the lab has no name server, and without the file nspawn decides.
    text('/etc/resolv.conf', ''),
    text('/etc/ssh/ssh_host_ed25519_key', key.privateKey, 0o600),
    text('/etc/ssh/ssh_host_ed25519_key.pub', key.publicKey),
    text('/root/.ssh/authorized_keys', authorized, 0o600),
    ...asked.files,
  ];
  for (const { path, content, mode } of files) {
    const target = join(upper, path);
    await mkdir(dirname(target), { recursive: true });
    // A snapshot may hold a link here; writing through it would write on the host.
    await rm(target, { force: true });
    await writeFile(target, content, { mode, flag: 'wx' });
    await chmod(target, mode);
  }
  await writeFile(machineId, `${id}\n`);
}

function text(path: string, content: string, mode = 0o644): SeedFile {
  return { path, content: Buffer.from(content), mode };
}

async function freshHostKey(
  path: string,
  hostname: string,
): Promise<{ privateKey: string; publicKey: string }> {
  await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', `root@${hostname}`, '-f', path]);
  const privateKey = await readFile(path, 'utf8');
  const publicKey = await readFile(`${path}.pub`, 'utf8');
  await Promise.all([rm(path), rm(`${path}.pub`)]);
  return { privateKey, publicKey };
}
