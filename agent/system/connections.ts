/** Established TCP connections of this node, from /proc/net/tcp: no helper process while requests are drained. */
import { readFile } from 'node:fs/promises';

/** `0100007F:2BCB` (address in the machine's byte order, port in hex) as `127.0.0.1:11211`; undefined for another shape. */
export function parseHexAddress(text: string): string | undefined {
  const match = /^([0-9A-F]{8}|0{16}FFFF0000([0-9A-F]{8})):([0-9A-F]{4})$/.exec(text);
  if (!match) return undefined;
  const [, whole = '', mapped, port = ''] = match;
  const bytes = (mapped ?? whole).match(/../g) ?? [];
  const ip = bytes.reverse().map((byte) => Number.parseInt(byte, 16));
  return `${ip.join('.')}:${Number.parseInt(port, 16)}`;
}

const established = '01';

/** Connections in the text of /proc/net/tcp or tcp6 whose local end is `ipv4:port`. */
export function countEstablished(text: string, address: string): number {
  return text
    .split('\n')
    .slice(1)
    .filter((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/);
      return state === established && parseHexAddress(local) === address;
    }).length;
}

export async function connectionsTo(address: string): Promise<number> {
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readFile(path, 'utf8').catch(() => '')),
  );
  return tables.reduce((sum, text) => sum + countEstablished(text, address), 0);
}
