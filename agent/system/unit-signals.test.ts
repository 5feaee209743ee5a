/** Against a server that speaks as systemd does; the lab test has the real one. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../../test/harness/until.js';
import type { UnitFeed } from '../apply/activator.js';
import { unitSignals } from './unit-signals.js';

// PropertiesChanged of a.service, as it stands on the wire.
const signal = Buffer.concat([
  Buffer.from([0x6c, 4, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 85, 0, 0, 0]),
  Buffer.from([1, 1, 0x6f, 0, 42, 0, 0, 0]),
  Buffer.from('/org/freedesktop/systemd1/unit/a_2eservice\0'),
  Buffer.from([0, 0, 0, 0, 0]),
  Buffer.from([3, 1, 0x73, 0, 17, 0, 0, 0]),
  Buffer.from('PropertiesChanged\0'),
]);
const whole = Buffer.concat([signal, Buffer.alloc((8 - (signal.length % 8)) % 8)]);
whole.writeUInt32LE(signal.length - 16, 12);

let dir: string;
let server: Server | undefined;
let feed: UnitFeed;
let seen: (string | undefined)[];
let tries = 0;
const sockets = new Set<Socket>();

async function serve(answer = 'OK 1234'): Promise<void> {
  server = createServer((socket) => {
    sockets.add(socket);
    tries += 1;
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      if (bytes.toString().startsWith('\0AUTH EXTERNAL ')) socket.write(`${answer}\r\n`);
    });
  }).listen(join(dir, 'private'));
  await once(server, 'listening');
}
const tell = (bytes: Buffer) => {
  for (const socket of sockets) socket.write(bytes);
};
async function end(): Promise<void> {
  for (const socket of sockets) socket.destroy();
  if (server?.listening) {
    server.close();
    await once(server, 'close');
  }
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'nix-infra-signals-'));
  seen = [];
  tries = 0;
});
afterEach(async () => {
  feed.close();
  await end();
  rmSync(dir, { recursive: true, force: true });
});
const follow = () => {
  feed = unitSignals(join(dir, 'private'), (unit) => seen.push(unit));
};

it('tells the unit, also when its message comes in pieces', async () => {
  await serve();
  follow();
  await until('live', 5_000, () => feed.live());
  tell(Buffer.concat([whole, whole.subarray(0, 20)]));
  await until('the first', 5_000, () => seen.includes('a.service'));
  tell(whole.subarray(20));
  await until('the second', 5_000, () => seen.filter((unit) => unit === 'a.service').length === 2);
});

it('says when systemd goes and comes back', async () => {
  follow();
  expect(feed.live()).toBe(false);
  await serve();
  await until('live', 5_000, () => feed.live());
  await end();
  await until('not live', 5_000, () => !feed.live());
  await serve();
  await until('live again', 5_000, () => feed.live());
  expect(seen).toEqual([undefined, undefined, undefined]);
});

it('does not believe what is not D-Bus', async () => {
  await serve();
  follow();
  await until('live', 5_000, () => feed.live());
  tell(Buffer.alloc(64, 0x42));
  await until('hung up', 5_000, () => !feed.live());
});

it('is not live where it is not let in', async () => {
  await serve('REJECTED EXTERNAL');
  follow();
  await until('it has tried twice', 5_000, () => tries >= 2);
  expect(feed.live()).toBe(false);
});
