/** Pure: what to change in the running haproxy so that it serves what etcd says. */
import type { RuntimeCommand } from './runtime-commands.js';
import type { ExpectedBackend } from './runtime-routes.js';
import { isOut, type Running, type RunningServer } from './show-stat.js';

export interface PlanRules {
  /** Whether this server was drained so long ago that it goes with whatever it still works on. */
  isOverdue(server: RunningServer): boolean;
}

/**
 * The commands, in an order in which no backend is empty for a moment that has servers before and after: first who comes, then who
 * goes. Backends that only one side knows are a change of shape, which is a reload's work.
 */
export function planRuntime(
  expected: readonly ExpectedBackend[],
  running: Running,
  { isOverdue }: PlanRules,
): RuntimeCommand[] {
  const present = new Map<string, Map<string, RunningServer>>();
  for (const server of running.servers) {
    const servers = present.get(server.backend) ?? new Map<string, RunningServer>();
    present.set(server.backend, servers.set(server.server, server));
  }
  const coming: RuntimeCommand[] = [];
  const going: RuntimeCommand[] = [];
  for (const { backend, servers } of expected) {
    if (!running.backends.has(backend)) continue;
    const left = new Map(present.get(backend));
    for (const { id, address } of servers) {
      const now = left.get(id);
      left.delete(id);
      const at = { backend, server: id, address };
      if (!now) coming.push({ do: 'add', ...at });
      if (now && now.address !== address) coming.push({ do: 'move', ...at });
      if (now && isOut(now.status)) coming.push({ do: 'ready', ...at });
    }
    for (const server of left.values()) {
      const at = { backend, server: server.server, address: server.address };
      // Nothing new comes to one that is down; it may be up again any moment, so it is drained as well.
      if (!isOut(server.status)) going.push({ do: 'drain', ...at });
      if (!isBusy(server) || isOverdue(server)) going.push({ do: 'delete', ...at });
    }
  }
  return [...coming, ...going];
}

/** One that may just have been given a request is busy until a look after it was drained says otherwise. */
function isBusy({ status, sessions }: RunningServer): boolean {
  return sessions > 0 || !(isOut(status) || /^DOWN( |$)/.test(status));
}
