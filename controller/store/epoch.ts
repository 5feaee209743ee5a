/** How often this etcd was restored from a snapshot, so to speak: what orders carry beside the fencing token, which a restore lowers. */
import { Problem } from '../../shared/errors.js';
import type { EtcdStore } from '../../shared/etcd/store.js';
import { keys } from './keys.js';

/** 0 before the first restore. Throws `etcd.invalid`: an order with a guessed epoch would be refused, or would shut out all others. */
export function parseEpoch(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  const epoch = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(epoch)) return epoch;
  throw new Problem('etcd.invalid', 'A value in etcd is not what it should be', {
    where: keys.epoch,
    reason: `"${text.slice(0, 40)}" is not a number`,
    next: `write a higher number than any before: \`etcdctl put ${keys.epoch} $(date +%s)\``,
  });
}

export async function readEpoch(etcd: Pick<EtcdStore, 'get'>): Promise<number> {
  return parseEpoch((await etcd.get(keys.epoch))?.value.toString().trim());
}

/**
 * The epoch after a restore. Seconds since 1970, so that it also passes epochs that nobody can read any more: those of an etcd that is
 * lost, after a restore that was itself made from an older snapshot.
 */
export function nextEpoch(known: readonly number[], nowMs: number): number {
  return Math.max(Math.floor(nowMs / 1_000), ...known.map((epoch) => epoch + 1));
}
