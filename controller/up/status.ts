/** What `status` shows: servers of the provider joined with what a controller knows. */
import { Outcome } from '../../proto/gen/nixinfra/v1/agent.js';
import type { AppState, EtcdMember, GetStatusResponse } from '../../proto/gen/nixinfra/v1/operator.js';
import { Problem } from '../../shared/errors.js';
import { firstView } from '../operator-client/operator-client.js';
import type { Project } from '../project/folder.js';
import { isTerminal, type Rollout } from '../rollout/rollout.js';
import { openSession } from './session.js';

export interface StatusNode {
  name: string;
  kind: string;
  /** Empty while there is no server. */
  ipv4: string;
  services: readonly string[];
  connected: boolean;
  /** Controller that holds the agent's session. */
  controller: string;
  revision: string;
  desired: string;
  /** none, unchanged, applied, needs-reboot, rejected, rolled-back or unhealthy. */
  result: string;
  nixos: string;
  agent: string;
  overlayIp: string;
  failedUnits: readonly string[];
}

export interface StatusView {
  cluster: string;
  /** The controller that answered; empty when none did, and then only servers are shown. */
  controller: string;
  /** The controller that leads rollouts; empty while none does. */
  leader: string;
  /** The rollout that runs, when one does. */
  rollout: StatusRollout | undefined;
  /** Why there is no answer of a controller. */
  problem: string | undefined;
  nodes: StatusNode[];
  apps: AppState[];
  etcd: EtcdMember[];
}

/** Who holds the cluster. */
export interface StatusRollout {
  id: string;
  state: string;
  who: string;
  why: string;
  startedMs: number;
}

const resultNames: Partial<Record<Outcome, string>> = {
  [Outcome.OUTCOME_UNCHANGED]: 'unchanged',
  [Outcome.OUTCOME_APPLIED]: 'applied',
  [Outcome.OUTCOME_REJECTED]: 'rejected',
  [Outcome.OUTCOME_UNHEALTHY]: 'unhealthy',
  [Outcome.OUTCOME_ROLLED_BACK]: 'rolled-back',
  [Outcome.OUTCOME_NEEDS_REBOOT]: 'needs-reboot',
};

/** Asks provider and controllers. */
export async function readStatus(project: Project): Promise<StatusView> {
  const { convergence } = await openSession(project);
  try {
    await convergence.observe();
    const answer = await convergence.status().catch((error: unknown) => Problem.from(error));
    if (answer instanceof Problem) return statusView(project, convergence.addresses(), answer);
    // A status without its rollout is better than none: this one may fail.
    const rollout = await firstView(await convergence.connected(), '').catch(() => undefined);
    return statusView(project, convergence.addresses(), answer, rollout?.rollout);
  } finally {
    convergence.close();
  }
}

/** Pure: the view of these facts. */
export function statusView(
  { config }: Pick<Project, 'config'>,
  addresses: ReadonlyMap<string, string>,
  answer: GetStatusResponse | Problem,
  newest?: Rollout | undefined,
): StatusView {
  const status = answer instanceof Problem ? undefined : answer;
  const nodes = config.nodes.map(({ name, kind, services }): StatusNode => {
    const state = status?.nodes.find((node) => node.name === name);
    return {
      name,
      kind,
      ipv4: addresses.get(name) ?? '',
      services,
      connected: state?.connected ?? false,
      controller: state?.controller ?? '',
      revision: state?.revision ?? '',
      desired: state?.desiredRevision ?? '',
      result: (state?.result && resultNames[state.result.outcome]) ?? 'none',
      nixos: state?.health?.nixosVersion ?? '',
      agent: state?.agentVersion ?? '',
      overlayIp: state?.health?.overlayIp ?? '',
      failedUnits: state?.health?.failedUnits ?? [],
    };
  });
  return {
    cluster: config.name,
    controller: status?.controller ?? '',
    leader: status?.leader ?? '',
    rollout: newest && newest.state !== 'planned' && !isTerminal(newest.state) ? briefly(newest) : undefined,
    problem:
      answer instanceof Problem ? [answer.message, answer.reason].filter(Boolean).join(': ') : undefined,
    nodes,
    apps: status?.apps ?? [],
    etcd: status?.etcd ?? [],
  };
}

function briefly({ id, state, who, why, startedMs }: Rollout): StatusRollout {
  return { id, state, who, why, startedMs };
}

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
    node.failedUnits.join(' '),
  ]);
  const apps = view.apps.flatMap((app) => [
    [`${app.group}/${app.name}`, `port ${app.port}`, `${app.instances.length} instances`],
    ...app.instances.map(({ id, ipv4, port, leased }) => [
      `  ${id}`,
      `${ipv4}:${port}`,
      leased ? 'leased' : 'no lease',
    ]),
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
      ['NODE', 'KIND', 'ADDRESS', 'OVERLAY', 'AGENT', 'REVISION', 'RESULT', 'NIXOS', 'FAILED UNITS'],
      ...nodes,
    ]),
    ...(etcd.length > 0 ? ['', ...table([['ETCD', 'HEALTH', ''], ...etcd])] : []),
    ...(apps.length > 0 ? ['', ...table([['APP', 'ADDRESS', 'STATE'], ...apps])] : []),
    '',
  ].join('\n');
}

function rolloutLine({ id, state, who, why, startedMs }: StatusRollout): string {
  const since = startedMs === 0 ? '' : ` since ${new Date(startedMs).toISOString()}`;
  return `rollout ${id} is ${state}${since}, by ${who}${why === '' ? '' : `: ${why}`}`;
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_cell, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
