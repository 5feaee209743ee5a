/** A revision of etcd as the checkers and the trace read it. */
import type { Rollout } from '../../controller/rollout/rollout.js';
import { keys, parseAppKey, parseNodeKey } from '../../controller/store/keys.js';
import type { DesiredValue } from '../../controller/store/shapes.js';
import type { Entry } from '../../shared/etcd/store.js';
import type { Commit } from './etcd.js';
import type { EtcdClient } from './etcd-client.js';
import type { Committed, Happening, JournalChange } from './history.js';

function json<T>(entry: Entry | undefined): T | undefined {
  return entry && (JSON.parse(entry.value.toString()) as T);
}

export function committed(
  commit: Commit,
  leader: Committed['leader'],
  client: EtcdClient | undefined,
): Committed {
  const journals: JournalChange[] = [];
  const orders: Committed['orders'][number][] = [];
  for (const { key, entry, before } of commit.changes) {
    if (key.startsWith(keys.rollouts))
      journals.push({
        id: key.slice(keys.rollouts.length),
        before: json<Rollout>(before),
        after: json<Rollout>(entry),
      });
    const node = parseNodeKey(key);
    const desired = node?.what === 'desired' ? json<DesiredValue>(entry) : undefined;
    if (node && desired) orders.push({ ...desired, node: node.node, change: commit.revision });
  }
  const seen = (app: string) => {
    const listing = client?.listings.get(keys.group(app.split('/')[0] ?? ''));
    return (listing?.entries ?? []).flatMap(({ key, value }) => {
      const parsed = parseAppKey(key);
      if (parsed?.what !== 'instances' || `${parsed.group}/${parsed.app}` !== app) return [];
      return [(JSON.parse(value.toString()) as { node: string }).node];
    });
  };
  return { what: 'commit', commit, leader, journals, orders, seen };
}

/** One line of the trace. */
export function lineOf(happening: Happening): string {
  if (happening.what !== 'commit') {
    const { what, node, ...rest } = happening;
    return `  ${node} ${what} ${Object.values(rest).join(' ')}`;
  }
  const { commit, journals } = happening;
  const written = commit.changes.map(({ key, entry }) => {
    if (!entry) return `-${key}`;
    const journal = journals.find(({ id }) => key === keys.rollout(id))?.after;
    if (!journal) return key;
    const nodes = journal.nodes.map(({ name, state }) => `${name}=${state}`);
    const request = journal.request ? ` (${journal.request.action})` : '';
    return `${key} ${journal.state}${request} wave ${journal.wave}: ${nodes.join(' ')}`;
  });
  return `@${commit.revision} ${commit.by}: ${written.join('; ')}`;
}
