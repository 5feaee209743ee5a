/** As much of D-Bus's wire format as it takes to hear signals: where a message ends, and whom it is about. Pure. */

export interface Signal {
  path: string;
  member: string;
}

/** What D-Bus itself allows for one message. */
const largest = 128 * 1024 * 1024;
const fixedBytes = 16;

/** Numbers of the header's fields and of the message's kinds, from the specification. */
const field = { path: 1, member: 3 } as const;
const signalKind = 4;

const aligned = (at: number, to: number) => Math.ceil(at / to) * to;

/** Length of the message that begins here; undefined while there is too little of it to say. Throws on what is no message. */
export function messageLength(bytes: Buffer): number | undefined {
  if (bytes.length < fixedBytes) return undefined;
  // systemd writes the byte order of the machine, which is this one for all we run on.
  if (bytes[0] !== 0x6c || bytes[3] !== 1) throw new Error('not a D-Bus message of this machine');
  const length = aligned(fixedBytes + bytes.readUInt32LE(12), 8) + bytes.readUInt32LE(4);
  if (length > largest) throw new Error('a D-Bus message is too large');
  return length;
}

/** Reads a whole message; undefined for one that is no signal. Throws on a header that is not sound. */
export function signalOf(message: Buffer): Signal | undefined {
  if (message[1] !== signalKind) return undefined;
  const signal: Signal = { path: '', member: '' };
  const end = fixedBytes + message.readUInt32LE(12);
  let at = fixedBytes;
  while (at < end) {
    at = aligned(at, 8);
    const code = message.readUInt8(at);
    // A signature of one letter: its length, the letter, a zero.
    const type = String.fromCharCode(message.readUInt8(at + 2));
    at += 4;
    if (type === 'u') {
      at = aligned(at, 4) + 4;
      continue;
    }
    if (!'sog'.includes(type)) throw new Error('a D-Bus header field has an unknown type');
    const length = type === 'g' ? message.readUInt8(at) : message.readUInt32LE(aligned(at, 4));
    const begin = type === 'g' ? at + 1 : aligned(at, 4) + 4;
    const text = message.toString('latin1', begin, begin + length);
    if (code === field.path) signal.path = text;
    if (code === field.member) signal.member = text;
    at = begin + length + 1;
  }
  return signal;
}

/** The unit that an object of systemd stands for, e.g. `a-1.service` for `…/unit/a_2d1_2eservice`; undefined for another object. */
export function unitOfPath(path: string): string | undefined {
  const name = /^\/org\/freedesktop\/systemd1\/unit\/([A-Za-z0-9_]+)$/.exec(path)?.[1];
  return name?.replace(/_([0-9a-f]{2})/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
}
