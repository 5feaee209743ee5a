/** One question to a unix socket that answers and closes. */
import { createConnection } from 'node:net';

/** The whole answer. Rejects when there is nobody, when it is not complete in `limitMs`, or when it is larger than `limitBytes`. */
export function ask(path: string, question: string, limitMs: number, limitBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path });
    const chunks: Buffer[] = [];
    let size = 0;
    const late = setTimeout(() => socket.destroy(new Error(`no whole answer in ${limitMs} ms`)), limitMs);
    socket.on('connect', () => socket.write(question));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > limitBytes) socket.destroy(new Error(`an answer of more than ${limitBytes} bytes`));
    });
    socket.on('error', reject);
    socket.on('end', () => resolve(Buffer.concat(chunks).toString()));
    // After 'error' and 'end' this changes nothing; without them the peer is gone in the middle.
    socket.on('close', () => {
      clearTimeout(late);
      reject(new Error('closed without an answer'));
    });
  });
}
