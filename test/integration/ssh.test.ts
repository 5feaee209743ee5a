/** SSH against a real sshd on a loopback port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Clock } from '../../controller/provision/clock.js';
import { connectSsh, generateSshKey, type SshOptions } from '../../controller/provision/ssh.js';

const hostKey = generateSshKey('host');
const otherHostKey = generateSshKey('other host');
const userKey = generateSshKey('user');
let folder: string;
let port: number;
let sshd: ChildProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sshd-'));
  // sshd separates privileges into this folder and ends without it.
  await mkdir('/run/sshd', { recursive: true });
  await writeFile(join(folder, 'host'), hostKey.privateKey, { mode: 0o600 });
  await writeFile(join(folder, 'authorized'), `${userKey.publicKey}\n`, { mode: 0o600 });
  port = await freePort();
  const config = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${join(folder, 'host')}`,
    `AuthorizedKeysFile ${join(folder, 'authorized')}`,
    'UsePAM no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
    'StrictModes no',
    'PidFile none',
    'LogLevel QUIET',
  ];
  await writeFile(join(folder, 'config'), `${config.join('\n')}\n`);
});

function start(): void {
  sshd = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(folder, 'config')], { stdio: 'ignore' });
}

beforeAll(start);

afterAll(async () => {
  sshd.kill();
  await rm(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return address.port;
}

function generateEcdsaKey(): string {
  return ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 }).public;
}

/** Deadlines in fast-forward: each pause counts a hundred times its length. */
function quickClock(): Clock {
  let skipped = 0;
  return {
    now: () => performance.now() + skipped,
    sleep: async (ms) => {
      skipped += ms;
      await new Promise((resolve) => setTimeout(resolve, ms / 100));
    },
    random: () => 0.5,
  };
}

async function session(change: Partial<SshOptions> = {}) {
  const opened = await connectSsh({
    host: '127.0.0.1',
    port,
    user: userInfo().username,
    privateKey: userKey.privateKey,
    hostKeys: [hostKey.publicKey],
    deadlineMs: 15_000,
    node: 'worker001',
    ...change,
  });
  onTestFinished(() => opened.close());
  return opened;
}

/** A relay before sshd whose connections can be cut. */
async function relay(): Promise<{ port: number; cut(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    near.pipe(far).pipe(near);
  });
  const relayPort = await freePort();
  await new Promise<void>((resolve) => server.listen(relayPort, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(() => {
    cut();
    server.close();
  });
  return { port: relayPort, cut };
}

describe('connectSsh', () => {
  it('waits for a host that boots, and says so', async () => {
    sshd.kill();
    const reasons: string[] = [];
    const opened = await session({
      onAttempt: (reason) => {
        if (reasons.push(reason) === 2) start();
      },
    });
    expect((await opened.run('echo up')).stdout).toBe('up\n');
    expect(reasons[0]).toContain('ECONNREFUSED');
  });

  it('gives up on a host that never answers', async () => {
    const attempt = session({ port: await freePort(), deadlineMs: 60_000, clock: quickClock() });
    await expect(attempt).rejects.toMatchObject({ code: 'node.no-boot', node: 'worker001' });
  });

  it('refuses another host key, after asking for a bounded time', async () => {
    const reasons: string[] = [];
    const attempt = session({
      hostKeys: [otherHostKey.publicKey],
      deadlineMs: 600_000,
      clock: quickClock(),
      onAttempt: (reason) => reasons.push(reason),
    });
    await expect(attempt).rejects.toMatchObject({ code: 'ssh.host-key' });
    expect(reasons.length).toBeGreaterThan(3);
  });

  it('takes a host without a key of the known kind for another host', async () => {
    const ecdsa = generateEcdsaKey();
    const attempt = session({ hostKeys: [ecdsa], deadlineMs: 600_000, clock: quickClock() });
    await expect(attempt).rejects.toMatchObject({ code: 'ssh.host-key' });
  });

  it('accepts any of several known keys, and none that it cannot read', async () => {
    const opened = await session({ hostKeys: [otherHostKey.publicKey, hostKey.publicKey] });
    expect((await opened.exec('true')).code).toBe(0);
    await expect(session({ hostKeys: [] })).rejects.toMatchObject({ code: 'ssh.host-key' });
    await expect(session({ hostKeys: ['nonsense'] })).rejects.toMatchObject({ code: 'ssh.host-key' });
  });

  it('says when the host refuses our key, or when it is none', async () => {
    const { privateKey } = generateSshKey('stranger');
    const attempt = session({ privateKey, clock: quickClock(), deadlineMs: 600_000 });
    await expect(attempt).rejects.toMatchObject({ code: 'ssh.auth' });
    await expect(session({ privateKey: 'nonsense' })).rejects.toMatchObject({ code: 'ssh.auth' });
  });
});

describe('a session', () => {
  it('gives code, output and lines as they come', async () => {
    const opened = await session();
    const lines: string[] = [];
    const onLine = (line: string) => lines.push(line);
    const result = await opened.exec('echo one; echo å >&2; printf two; exit 7', { onLine });
    expect(result).toEqual({ code: 7, stdout: 'one\ntwo', stderr: 'å\n' });
    expect([...lines].sort()).toEqual(['one', 'two', 'å']);
    expect((await opened.exec('kill -TERM $$')).code).toBe(128 + 15);
  });

  it('makes an error of a command that fails, with what it said', async () => {
    const failing = (await session()).run('echo why >&2; exit 3');
    await expect(failing).rejects.toMatchObject({ code: 'ssh.command', reason: 'why', log: ['why'] });
  });

  it('carries a large input whole', async () => {
    const input = randomBytes(20 * 1024 * 1024);
    const { stdout } = await (await session()).run('sha256sum', { stdin: input });
    expect(stdout.split(' ')[0]).toBe(createHash('sha256').update(input).digest('hex'));
  });

  it('survives a command that does not read its input', async () => {
    const result = await (await session()).exec('exit 4', { stdin: randomBytes(8 * 1024 * 1024) });
    expect(result.code).toBe(4);
  });

  it('runs more commands at once than sshd has places for', async () => {
    const opened = await session();
    const results = await Promise.all(Array.from({ length: 30 }, (_, n) => opened.run(`echo ${n}`)));
    expect(results.map(({ stdout }) => stdout.trim())).toEqual(Array.from({ length: 30 }, (_, n) => `${n}`));
  });

  it('ends a command that takes too long', async () => {
    const late = (await session()).exec('sleep 60', { timeoutMs: 100 });
    await expect(late).rejects.toMatchObject({ code: 'ssh.failed' });
  });

  it('writes a file with its mode', async () => {
    const path = join(folder, 'deep', "it's.pem");
    const content = randomBytes(1_000_000);
    await (await session()).writeFile(path, content, 0o400);
    expect((await readFile(path)).equals(content)).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o400);
  });

  it('makes an error of a connection that is lost under a command, and of each command after', async () => {
    const between = await relay();
    const opened = await session({ port: between.port });
    const running = opened.exec('echo began; exec sleep 60', { onLine: () => between.cut() });
    await expect(running).rejects.toMatchObject({ code: 'ssh.failed', node: 'worker001' });
    await expect(opened.exec('true')).rejects.toMatchObject({ code: 'ssh.failed' });
    await expect(opened.writeFile(join(folder, 'never'), 'x', 0o600)).rejects.toMatchObject({
      code: 'ssh.failed',
    });
  });
});
