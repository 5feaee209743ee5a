/**
 * Logs in over sshd on loopback, as proof that a person still can: with a key made for it, accepted only from loopback, only for one
 * harmless command, and only while the proof runs. The host key is checked against the host's own.
 */
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from './run.js';

export interface SshLoginOptions {
  /** Folder for our key. */
  dir: string;
  /** The file that sshd is told to read for root (agent.nix). */
  authorizedKeysFile: string;
  /** Folder with the host's public keys. */
  hostKeys: string;
  port: number;
  /** Seconds to connect and log in. */
  timeoutS: number;
}

const hostName = 'nix-infra-proof';

/** One line of authorized_keys: the key may do nothing but say the word. Pure. */
export function authorizedLine(publicKey: string, word: string): string {
  return `restrict,from="127.0.0.1",command="echo ${word}" ${publicKey.trim()}\n`;
}

/** known_hosts of exactly the host's own keys. Pure. */
export function knownHosts(publicKeys: readonly string[]): string {
  return publicKeys
    .map((key) => key.trim().split(/\s+/))
    .filter(([type, body]) => type && body)
    .map(([type, body]) => `${hostName} ${type} ${body}\n`)
    .join('');
}

async function ownKey(dir: string): Promise<{ file: string; publicKey: string } | undefined> {
  const file = join(dir, 'id_ed25519');
  const read = () => readFile(`${file}.pub`, 'utf8').catch(() => '');
  if ((await read()) === '') {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await rm(file, { force: true });
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', hostName, '-f', file]);
  }
  const publicKey = await read();
  return publicKey === '' ? undefined : { file, publicKey };
}

async function hostKeysOf(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch(() => [] as string[]);
  const keys = names.filter((name) => /^ssh_host_.*_key\.pub$/.test(name));
  return Promise.all(keys.map((name) => readFile(join(dir, name), 'utf8')));
}

/** Never throws: a login that cannot be tried is one that did not work. */
export async function sshLogin(options: SshLoginOptions): Promise<{ ok: boolean; detail: string }> {
  const { dir, authorizedKeysFile, port, timeoutS } = options;
  try {
    const key = await ownKey(dir);
    if (!key) return { ok: false, detail: 'no key could be made' };
    const known = join(dir, 'known_hosts');
    await writeFile(known, knownHosts(await hostKeysOf(options.hostKeys)), { mode: 0o600 });
    const word = `proved-${randomUUID()}`;
    // sshd refuses a file that others could write.
    await mkdir(dirname(authorizedKeysFile), { recursive: true, mode: 0o755 });
    await chmod(dirname(authorizedKeysFile), 0o755);
    await writeFile(authorizedKeysFile, authorizedLine(key.publicKey, word), { mode: 0o600 });
    const pinned = {
      BatchMode: 'yes',
      ConnectTimeout: timeoutS,
      GlobalKnownHostsFile: '/dev/null',
      HostKeyAlias: hostName,
      IdentitiesOnly: 'yes',
      IdentityAgent: 'none',
      IdentityFile: key.file,
      PreferredAuthentications: 'publickey',
      StrictHostKeyChecking: 'yes',
      UserKnownHostsFile: known,
    };
    const settings = Object.entries(pinned).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    const args = ['-F', 'none', '-T', '-p', String(port), ...settings, 'root@127.0.0.1'];
    const { code, stdout, stderr } = await run('ssh', args, undefined, timeoutS * 1000 + 1_000);
    if (stdout.trim() === word) return { ok: true, detail: '' };
    return { ok: false, detail: stderr.trim().split('\n').at(-1) || `ssh ended with exit code ${code}` };
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : String(error) };
  } finally {
    await rm(authorizedKeysFile, { force: true });
  }
}
