/** Pure: whether haproxy must be reloaded for a new file, or serves what it says already. */
import { parseLoaded, parseServedFile } from './served-file.js';
import { sameServers } from './served-servers.js';
import { voucherText } from './served-voucher.js';
import { isOut, type Running } from './show-stat.js';

/** The one reason that the agent may be about to make void. */
export const otherServers = 'other servers';

export interface ReloadFacts {
  /** The file that confd has just written. */
  file: string;
  /** What the last start or reload gave to haproxy: a copy of the file of that moment, and a name for it. */
  loaded: string;
  /** The agent's word (served-voucher.ts), and the stamp of the file; read before the worker was asked. */
  voucher: string;
  stamp: string;
  /** What the running worker says; 'stopping' for one that is on its way out. */
  running: Running | 'stopping';
}

/**
 * Why to reload; undefined when the running worker serves exactly what the file says, or what etcd says since. Servers out of rotation do not count: who took
 * them out takes them away. Whatever cannot be told for sure is a reason.
 */
export function reloadReason({ file, loaded, voucher, stamp, running }: ReloadFacts): string | undefined {
  const { name, ...was } = parseLoaded(loaded);
  if (name === '') return 'what was loaded last has no name';
  if (running === 'stopping') return 'a worker answers that is on its way out';
  // Another name: a reload is under way, or failed.
  if (running.description !== name) return `what runs is not what was loaded last, ${name}`;
  const wanted = parseServedFile(file);
  if (wanted.odd.length > 0 || was.odd.length > 0) return `odd line: ${wanted.odd[0] ?? was.odd[0]}`;
  if (wanted.shape !== was.shape) return 'more than servers has changed';
  const active = running.servers.filter(({ status }) => !isOut(status));
  if (sameServers(active, wanted.servers)) return undefined;
  return voucherText({ stamp, servers: active }) === voucher ? undefined : otherServers;
}
