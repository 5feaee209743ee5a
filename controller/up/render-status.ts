/** The status as a person reads it. */
import type { AppState } from '../../proto/gen/nixinfra/v1/operator.js';
import type { StatusNode, StatusRollout, StatusView } from './status.js';
import { table } from './table.js';

/** The view as a person reads it. */
export function renderStatus(view: StatusView): string {
  const answered =
    view.controller === '' ? `no controller answers (${view.problem ?? ''})` : `asked ${view.controller}`;
  const leads =
    view.controller === '' ? '' : view.leader === '' ? ', nobody leads' : `, ${view.leader} leads`;
  const nodes = view.nodes.map((node) => [
    node.name,
    node.kind,
    node.ipv4 || '-',
    node.overlayIp || '-',
    node.ipv4 === '' ? 'no server' : node.connected ? 'connected' : 'away',
    node.revision.slice(0, 12) || '-',
    // Nothing was ever ordered of a node that runs what it was bootstrapped with.
    node.desired === '' || node.desired === node.revision
      ? node.result
      : `${node.result}, wants ${node.desired.slice(0, 12)}`,
    node.nixos || '-',
    meshWord(node),
    node.failedUnits.join(' '),
  ]);
  const apps = view.apps.flatMap((app) => [
    [`${app.group}/${app.name}`, `port ${app.port}`, instancesWord(app)],
    ...app.instances.map(({ id, ipv4, port, leased }) => [
      `  ${id}`,
      `${ipv4}:${port}`,
      leased ? 'leased' : 'no lease',
    ]),
    ...app.held.map(({ id, ipv4, port }) => [`  ${id}`, `${ipv4}:${port}`, 'held']),
  ]);
  const etcd = view.etcd.map(({ name, healthy, leader }) => [
    name,
    healthy ? 'healthy' : 'DOWN',
    leader ? 'leader' : '',
  ]);
  return [
    `cluster ${view.cluster}, ${answered}${leads}`,
    ...(view.rollout ? [rolloutLine(view.rollout)] : []),
    '',
    ...table([
      ['NODE', 'KIND', 'ADDRESS', 'OVERLAY', 'AGENT', 'REVISION', 'RESULT', 'NIXOS', 'MESH', 'FAILED UNITS'],
      ...nodes,
    ]),
    ...(etcd.length > 0 ? ['', ...table([['ETCD', 'HEALTH', ''], ...etcd])] : []),
    ...(apps.length > 0 ? ['', ...table([['APP', 'ADDRESS', 'STATE'], ...apps])] : []),
    ...warningLines(view.nodes),
    '',
  ].join('\n');
}

function instancesWord({ instances, held }: AppState): string {
  return held.length > 0
    ? 'none registered; the last ones are kept until it is known that they left'
    : `${instances.length} instances`;
}

/** Whether the running haproxy serves what is registered. */
function meshWord({ connected, mesh }: StatusNode): string {
  if (!mesh || !connected) return '-';
  if (!mesh.readable) return 'no haproxy';
  return mesh.revision < mesh.seenRevision ? 'behind' : 'serves';
}

/** What nodes say is wrong with the routes, each once, with the nodes that say it. */
function warningLines(nodes: readonly StatusNode[]): string[] {
  const told = new Map<string, string[]>();
  for (const { name, mesh } of nodes) {
    for (const { code, subject, message } of mesh?.warnings ?? []) {
      const line = `${subject}: ${message} [${code}]`;
      told.set(line, [...(told.get(line) ?? []), name]);
    }
  }
  if (told.size === 0) return [];
  return ['', 'WARNINGS', ...[...told].map(([line, on]) => `${line}, seen by ${on.join(', ')}`)];
}

function rolloutLine({ id, state, who, why, startedMs }: StatusRollout): string {
  const since = startedMs === 0 ? '' : ` since ${new Date(startedMs).toISOString()}`;
  return `rollout ${id} is ${state}${since}, by ${who}${why === '' ? '' : `: ${why}`}`;
}
