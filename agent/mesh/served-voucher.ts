/**
 * The agent's word to confd's command that haproxy is ahead of the file, not behind it: etcd was read after that file was written, and
 * haproxy serves what it said. Without it, of two changes in a row the reload for the first would take back the second.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type ServerAt, serverText } from './served-servers.js';

/** What is vouched for: exactly this file on disk, and exactly these servers in rotation. */
export interface Vouched {
  /** Stamp of the file, as `stampOf` makes it. */
  stamp: string;
  servers: readonly ServerAt[];
}

export function voucherText({ stamp, servers }: Vouched): string {
  const hash = createHash('sha256').update(servers.map(serverText).sort().join('\n'));
  return `${stamp} ${hash.digest('hex')}\n`;
}

/** Best effort: without it a reload happens that would not be needed. */
export function writeVoucher(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  } catch {
    // A full disk, say.
  }
}

/** Empty when there is none. */
export function readVoucher(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
