/** A tar archive in memory (ustar, as every tar reads it): one stream over SSH instead of a transfer per file. */

export interface TarEntry {
  /** Relative path, at most 255 bytes. */
  path: string;
  mode: number;
  content: Buffer;
}

const block = 512;

/** The archive of these files, owned by root, with no times: the same input gives the same bytes. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap((entry) => [
    header(entry),
    entry.content,
    Buffer.alloc((block - (entry.content.length % block)) % block),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

function header({ path, mode, content }: TarEntry): Buffer {
  const bytes = Buffer.alloc(block);
  const [prefix, name] = splitPath(path);
  bytes.write(name, 0, 100);
  const octal = (value: number, at: number, width: number) =>
    bytes.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(content.length, 124, 12);
  octal(0, 136, 12);
  bytes.write('        ', 148);
  bytes.write('0', 156);
  bytes.write('ustar\x0000', 257);
  bytes.write(prefix, 345, 155);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}

/** ustar keeps 100 bytes of name and 155 of folder before it. */
function splitPath(path: string): [string, string] {
  if (Buffer.byteLength(path) <= 100) return ['', path];
  for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
    const [prefix, name] = [path.slice(0, slash), path.slice(slash + 1)];
    if (Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155) return [prefix, name];
  }
  throw new RangeError(`the path is too long for an archive: ${path}`);
}
