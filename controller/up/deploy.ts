/** Deploys nodes: their bundles go to the cluster, and one rollout brings them to those that differ. */
import { Problem } from '../../shared/errors.js';
import type { NodeConfig } from '../project/cluster-config.js';
import type { Project } from '../project/folder.js';
import type { RolloutOptions } from '../rollout/options.js';
import type { Rollout } from '../rollout/rollout.js';
import type { Convergence } from './convergence.js';
import type { Listener } from './events.js';
import { type RollOutOptions, rollOut, whoAsks } from './roll-out.js';

export interface DeployOptions extends Omit<RollOutOptions, 'plan' | 'listener'> {
  listener: Listener;
  rollout: RolloutOptions;
  /** For whoever finds the lock. */
  why: string;
  /** Makes the plan and tells it, and that is all. */
  planOnly?: boolean;
}

/**
 * Ends with the rollout, or with a plan without nodes when all run what they shall. Bundles of unchanged nodes go along: only what the
 * cluster knows can be undone later. Throws what rollOut throws, and what a node says that cannot prepare.
 */
export async function deployNodes(
  convergence: Convergence,
  nodes: readonly NodeConfig[],
  options: DeployOptions,
): Promise<Rollout> {
  const { listener, signal, why } = options;
  const operator = await convergence.connected();
  const bundles = nodes.map((node) => ({ node, bundle: convergence.bundle(node.name) }));
  await operator.putBundles(bundles.map(({ bundle }) => bundle));
  const targets = bundles.map(({ node: { name, kind, services }, bundle: { revision, files } }) => ({
    node: name,
    kind,
    services: [...services],
    manifest: { revision, node: name, files: [...files] },
  }));
  const plan = () =>
    operator.planRollout(
      { targets, options: options.rollout, who: whoAsks(), why },
      ({ node, message }) => listener({ type: 'planning', node, message }),
      signal,
    );
  if (!options.planOnly) return rollOut(operator, { ...options, plan });
  const rollout = await plan();
  listener({ type: 'planned', rollout });
  return rollout;
}

/** Learns what bundles name: every node's overlay address, and not only those of the chosen nodes. */
export async function readyToDeploy(
  convergence: Convergence,
  { config }: Project,
  nodes: readonly NodeConfig[],
): Promise<void> {
  const { servers } = await convergence.observe();
  const missing = nodes.find(({ name }) => !servers.has(name));
  if (missing) {
    throw new Problem('node.unknown', `There is no server "${missing.name}" yet`, {
      node: missing.name,
      next: 'make it with `nix-infra up`',
    });
  }
  for (const { name, kind } of config.nodes) {
    if (kind !== 'control' && servers.has(name)) await convergence.reserveOverlay(name);
  }
}
