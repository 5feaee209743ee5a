import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ask } from './ask.js';

let dir: string;
let path: string;
let server: Server | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ask-'));
  path = join(dir, 'sock');
});
afterEach(() => {
  server?.close();
  rmSync(dir, { recursive: true, force: true });
});

async function serve(answer: (socket: Socket) => void): Promise<void> {
  server = createServer((socket) => {
    socket.once('data', () => answer(socket));
    socket.on('error', () => {});
  }).listen(path);
  await once(server, 'listening');
}

it('gives the whole answer', async () => {
  await serve((socket) => {
    socket.write('one ');
    setImmediate(() => socket.end('two'));
  });
  expect(await ask(path, '?\n', 2_000, 100)).toBe('one two');
});

it.each<[string, RegExp, (socket: Socket) => void]>([
  ['nobody answers', /no whole answer in 50 ms/, () => {}],
  ['the answer never ends', /no whole answer in 50 ms/, (socket) => socket.write('some')],
  ['the answer is too large', /more than 100 bytes/, (socket) => socket.end('x'.repeat(101))],
])('refuses when %s', async (_, reason, answer) => {
  await serve(answer);
  await expect(ask(path, '?\n', 50, 100)).rejects.toThrow(reason);
});

it('refuses when there is no socket', async () => {
  await expect(ask(path, '?\n', 50, 100)).rejects.toThrow(/ENOENT/);
});
