/** Pure: what this node's haproxy serves, and whether that is what etcd says. */
import type { MeshServer } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Expected } from './runtime-routes.js';
import { compareText, type ServerAt, sameServers, serverText } from './served-servers.js';
import { isOut, isUp, type Running, type RunningServer } from './show-stat.js';

/** The servers that get requests, or would if their checks passed. */
export function inRotation({ servers }: Running): RunningServer[] {
  return servers.filter(({ status }) => !isOut(status));
}

/**
 * What to tell of the servers: those in rotation, and those that the `record` would put back. The next reload or restart reads that
 * file, so a server that still stands there has not left for good, though it gets no request now.
 */
export function servedServers(running: Running, record: readonly ServerAt[]): MeshServer[] {
  const active = inRotation(running).map(({ backend, server, address, status, weight }) => ({
    backend,
    server,
    address,
    up: isUp(status, weight),
  }));
  const known = new Set(active.map(serverText));
  const waiting = record
    .filter((server) => !known.has(serverText(server)))
    .map((server) => ({ ...server, up: false }));
  return [...active, ...waiting].sort(
    (a, b) =>
      compareText(a.backend, b.backend) ||
      compareText(a.server, b.server) ||
      compareText(a.address, b.address),
  );
}

/** Whether haproxy serves exactly what was read from etcd: the same backends, and behind each the same servers. */
export function serves(running: Running, { backends }: Expected): boolean {
  const names = backends.flatMap(({ backend, listener }) => [backend, listener]);
  if (!names.every((name) => running.backends.has(name))) return false;
  const servers = backends.flatMap(({ backend, servers }) =>
    servers.map(({ id, address }) => ({ backend, server: id, address })),
  );
  return sameServers(inRotation(running), servers);
}
