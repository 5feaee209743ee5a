/** The step-by-step road of the predecessor, over the same plans and steps as `up`. */
import { Problem } from '../../shared/errors.js';
import type { NodeConfig } from '../project/cluster-config.js';
import type { Project } from '../project/folder.js';
import { putBundle } from './bootstrap.js';
import { deployNodes, readyToDeploy } from './deploy.js';
import { planBootstrap, planProvision } from './plan.js';
import { openSession, type Session } from './session.js';
import { execute, type RunOptions, unattended } from './up.js';

/** The nodes of cluster.yaml with these names, in its order; throws `node.unknown` naming those that are missing. */
export function nodesNamed(project: Project, names: readonly string[]): NodeConfig[] {
  const missing = names.filter((name) => !project.config.nodes.some((node) => node.name === name));
  if (missing.length > 0) {
    throw new Problem('node.unknown', `Node(s) not found in cluster.yaml: ${missing.join(' ')}`, {
      reason: `the nodes are ${project.config.nodes.map(({ name }) => name).join(', ')}`,
      next: 'add them to cluster.yaml; it says what kind a node is',
    });
  }
  return project.config.nodes.filter(({ name }) => names.includes(name));
}

/** Makes servers and waits until they answer. */
export function provision(project: Project, names: readonly string[], options: RunOptions): Promise<void> {
  const nodes = nodesNamed(project, names);
  return inSession(project, options, {}, async (session) => {
    const { servers } = await session.convergence.observe();
    await execute(planProvision(nodes, servers), session, options);
  });
}

/** Turns servers into nodes and waits for their agents. `uuid` counts for the first control nodes of a cluster alone. */
export function bootstrap(
  project: Project,
  names: readonly string[],
  options: RunOptions & { uuid?: string | undefined },
): Promise<void> {
  const nodes = nodesNamed(project, names);
  return inSession(project, options, { uuid: options.uuid }, async (session) => {
    const { servers } = await session.convergence.observe();
    const present = project.config.nodes.filter(({ name }) => servers.has(name));
    await execute(planBootstrap(nodes, present), session, options);
  });
}

/** Brings the files of nodes up to date: with `rebuild` through their agents, else only in /etc/nixos over SSH. */
export function updateNodes(
  project: Project,
  names: readonly string[],
  options: RunOptions & { rebuild: boolean },
): Promise<void> {
  const nodes = nodesNamed(project, names);
  return inSession(project, options, {}, async ({ convergence }) => {
    await readyToDeploy(convergence, project, nodes);
    if (options.rebuild) {
      await deployNodes(convergence, nodes, { ...options, ...unattended('nix-infra cluster update-node') });
      return;
    }
    await Promise.all(
      nodes.map(async ({ name }) => putBundle(await convergence.shell(name), convergence.bundle(name))),
    );
  });
}

/** Takes nodes out of the cluster and deletes their servers. `warn` is told what could not be unregistered. */
export function destroy(
  project: Project,
  names: readonly string[],
  options: RunOptions & { warn: (line: string) => void },
): Promise<void> {
  return inSession(project, options, {}, async ({ convergence, machines }) => {
    const { servers } = await convergence.observe();
    const doomed = names.filter((name) => servers.has(name));
    const left = [...servers].filter((name) => !doomed.includes(name));
    const controlLeft = project.config.nodes.some(
      ({ name, kind }) => kind === 'control' && left.includes(name),
    );
    if (controlLeft) {
      const operator = await convergence.connected();
      for (const name of doomed) {
        const { kind } = project.config.nodes.find((node) => node.name === name) ?? {};
        // Whoever names it means it; but an etcd that has its quorum keeps it.
        if (kind === 'control')
          await operator.removeMember(name, true).catch((error: unknown) => {
            const problem = Problem.from(error);
            if (problem.code === 'etcd.quorum') throw problem;
            options.warn(`WARNING: ${name} stays a member of etcd: ${problem.message}`);
          });
        await operator
          .removeNode(name)
          .catch((error: unknown) =>
            options.warn(`WARNING: ${name} stays registered: ${Problem.from(error).message}`),
          );
      }
    }
    await machines.remove(doomed);
    if (left.length === 0) await machines.removeShared();
  });
}

async function inSession(
  project: Project,
  { listener }: RunOptions,
  { uuid }: { uuid?: string | undefined },
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const onProgress = (node: string, message: string) => listener({ type: 'step-progress', node, message });
  const session = await openSession(project, { onProgress, uuid });
  try {
    await work(session);
  } finally {
    session.convergence.close();
  }
}
