/** The agent's proof that people can still log in, against a real sshd on a loopback port. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { authorizedLine, knownHosts, sshLogin } from '../../agent/system/ssh-login.js';
import { freePort } from '../harness/etcd.js';
import { until } from '../harness/until.js';

let dir: string;
let sshd: ChildProcess | undefined;
let port: number;

const at = (name: string) => join(dir, name);
const key = (name: string) =>
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', at(name)]);

async function serve(more: readonly string[] = []): Promise<void> {
  const config = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${at('host')}`,
    `AuthorizedKeysFile ${at('nobody')} ${at('proof/%u')}`,
    'UsePAM no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
    'PidFile none',
    // The folder of a test is below /tmp, which others may write to.
    'StrictModes no',
    ...more,
  ];
  writeFileSync(at('config'), `${config.join('\n')}\n`);
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', at('config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  sshd = child;
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await until('sshd', 5_000, () => said.includes('listening on 127.0.0.1'));
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ssh-login-'));
  // sshd separates privileges into this folder and ends without it.
  mkdirSync('/run/sshd', { recursive: true });
  mkdirSync(at('keys'));
  key('host');
  copyFileSync(at('host.pub'), at('keys/ssh_host_ed25519_key.pub'));
  port = await freePort();
});
afterEach(() => {
  sshd?.kill();
  rmSync(dir, { recursive: true, force: true });
});

const login = () =>
  sshLogin({ dir: at('own'), authorizedKeysFile: at('proof/root'), hostKeys: at('keys'), port, timeoutS: 3 });

it('logs in, and leaves no key that is accepted behind', async () => {
  await serve();
  expect(await login()).toEqual({ ok: true, detail: '' });
  expect(existsSync(at('proof/root'))).toBe(false);
  // A second time with the same key.
  const own = readFileSync(at('own/id_ed25519.pub'), 'utf8');
  expect(await login()).toEqual({ ok: true, detail: '' });
  expect(readFileSync(at('own/id_ed25519.pub'), 'utf8')).toBe(own);
});

it('sees that root is locked out', async () => {
  await serve(['DenyUsers root']);
  expect((await login()).ok).toBe(false);
});

it('sees that nothing listens', async () => {
  expect((await login()).ok).toBe(false);
});

it('does not trust a host that is not this one', async () => {
  await serve();
  key('other');
  copyFileSync(at('other.pub'), at('keys/ssh_host_ed25519_key.pub'));
  const { ok, detail } = await login();
  expect(ok).toBe(false);
  expect(detail).toMatch(/host key/i);
});

it('lets its key do one thing alone, and from one place', () => {
  expect(authorizedLine('ssh-ed25519 AAAA comment\n', 'word')).toBe(
    'restrict,from="127.0.0.1",command="echo word" ssh-ed25519 AAAA comment\n',
  );
  expect(knownHosts(['ssh-ed25519 AAAA root@host\n', '\n'])).toBe('nix-infra-proof ssh-ed25519 AAAA\n');
});
