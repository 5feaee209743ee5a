import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SnapshotCheck } from './snapshot-check.js';

const database = Buffer.from(Array.from({ length: 2048 }, (_, at) => at % 251));
const whole = Buffer.concat([database, createHash('sha256').update(database).digest()]);

function check(bytes: Buffer, chunk: number): string | undefined {
  const one = new SnapshotCheck();
  for (let at = 0; at < bytes.length; at += chunk) one.add(bytes.subarray(at, at + chunk));
  expect(one.size).toBe(bytes.length);
  return one.wrong();
}

describe('SnapshotCheck', () => {
  it.each([1, 7, 32, 512, 100_000])('takes a whole one in chunks of %i', (chunk) => {
    expect(check(whole, chunk)).toBeUndefined();
  });
  it.each([
    ['an empty one', Buffer.alloc(0), /0 bytes/],
    ['one without its hash', database, /does not end/],
    ['one that was cut in a page', whole.subarray(0, 1500), /does not end/],
    ['one that was cut at a page', whole.subarray(0, 1024 + 32), /is not the one/],
    ['one with a byte changed', Buffer.concat([Buffer.from([9]), whole.subarray(1)]), /is not the one/],
  ])('refuses %s', (_what, bytes, why) => {
    expect(check(bytes, 100)).toMatch(why);
  });
});
