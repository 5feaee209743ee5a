import { describe, expect, it } from 'vitest';
import { messageLength, signalOf, unitOfPath } from './dbus-message.js';

/** A message as the specification lays it out. */
function message(
  kind: number,
  fields: [code: number, type: string, value: string | number][],
  body = 0,
): Buffer {
  let header = Buffer.alloc(0);
  const pad = (to: number) => {
    header = Buffer.concat([header, Buffer.alloc((to - (header.length % to)) % to)]);
  };
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  for (const [code, type, value] of fields) {
    pad(8);
    header = Buffer.concat([header, Buffer.from([code, 1, type.charCodeAt(0), 0])]);
    if (typeof value === 'number') header = Buffer.concat([header, u32(value)]);
    else if (type === 'g')
      header = Buffer.concat([header, Buffer.from([value.length]), Buffer.from(`${value}\0`)]);
    else header = Buffer.concat([header, u32(value.length), Buffer.from(`${value}\0`)]);
  }
  const length = header.length;
  pad(8);
  return Buffer.concat([
    Buffer.from([0x6c, kind, 1, 1]),
    u32(body),
    u32(7),
    u32(length),
    header,
    Buffer.alloc(body),
  ]);
}

const path = '/org/freedesktop/systemd1/unit/hello_2d1_2eservice';
const changed = message(
  4,
  [
    [1, 'o', path],
    [2, 's', 'org.freedesktop.DBus.Properties'],
    [3, 's', 'PropertiesChanged'],
    [8, 'g', 'sa{sv}as'],
    [9, 'u', 0],
    [7, 's', 'org.freedesktop.systemd1'],
  ],
  33,
);

describe('a message', () => {
  it('has a length, which is known from its first bytes on', () => {
    expect(messageLength(changed)).toBe(changed.length);
    expect(messageLength(changed.subarray(0, 16))).toBe(changed.length);
    expect(messageLength(changed.subarray(0, 15))).toBeUndefined();
  });
  it('that is a signal says whom it is about', () => {
    expect(signalOf(changed)).toEqual({ path, member: 'PropertiesChanged' });
  });
  it('that is no signal says nothing', () => {
    expect(signalOf(message(2, [[5, 'u', 1]]))).toBeUndefined();
  });
  it('that is none is refused, whatever it claims', () => {
    expect(() => messageLength(Buffer.alloc(16, 0x42))).toThrow();
    const huge = Buffer.from(changed);
    huge.writeUInt32LE(0xffffffff, 4);
    expect(() => messageLength(huge)).toThrow();
    const odd = Buffer.from(changed);
    odd[18] = 'x'.charCodeAt(0);
    expect(() => signalOf(odd)).toThrow();
    const beyond = Buffer.from(changed);
    beyond.writeUInt32LE(changed.length * 2, 12);
    expect(() => signalOf(beyond)).toThrow();
  });
});

it('reads names of units as systemd escapes them', () => {
  expect(unitOfPath(path)).toBe('hello-1.service');
  expect(unitOfPath('/org/freedesktop/systemd1')).toBeUndefined();
  expect(unitOfPath('/org/freedesktop/systemd1/unit/../x')).toBeUndefined();
});
