/** What `status` shows: servers of the provider joined with what a controller knows. */
import { Outcome } from '../../proto/gen/nixinfra/v1/agent.js';
import type {
  AppState,
  EtcdMember,
  GetStatusResponse,
  MeshState,
} from '../../proto/gen/nixinfra/v1/operator.js';
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
  /** What its haproxy serves; undefined for a node that routes nothing. */
  mesh: MeshState | undefined;
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
      mesh: state?.mesh,
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
