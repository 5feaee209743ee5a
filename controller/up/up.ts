/** The main roads: up, deploy, down. Each converges, so each may be run again after a failure or a Ctrl-C. */
import { Problem } from '../../shared/errors.js';
import type { Project } from '../project/folder.js';
import { selectNodes } from '../project/selector.js';
import type { Listener } from './events.js';
import { executePlan } from './execute.js';
import { type Plan, planDeploy, planUp } from './plan.js';
import { openSession, type Session } from './session.js';

export interface RunOptions {
  listener: Listener;
  signal: AbortSignal;
}

/** What `up` would do now. */
export async function previewUp(project: Project): Promise<Plan> {
  const { convergence } = await openSession(project);
  try {
    return planUp(project.config.nodes, await convergence.observe());
  } finally {
    convergence.close();
  }
}

/** Creates what is missing, bootstraps it, and deploys what differs. */
export async function up(project: Project, options: RunOptions): Promise<void> {
  await inSession(project, options, async ({ convergence }) => {
    const plan = planUp(project.config.nodes, await convergence.observe());
    await execute(plan, convergence, options);
  });
}

/** Deploys what the project folder changed. `on` is a selector; default: every node. */
export async function deploy(project: Project, on: string | undefined, options: RunOptions): Promise<void> {
  const nodes = on === undefined ? project.config.nodes : selectNodes(project.config.nodes, on);
  await inSession(project, options, async ({ convergence }) => {
    const { servers } = await convergence.observe();
    const missing = nodes.find(({ name }) => !servers.has(name));
    if (missing) {
      throw new Problem('node.unknown', `There is no server "${missing.name}" yet`, {
        node: missing.name,
        next: 'make it with `nix-infra up`',
      });
    }
    // A bundle names every node's overlay address, so all must be known and not only those of the chosen nodes.
    for (const { name, kind } of project.config.nodes) {
      if (kind !== 'control' && servers.has(name)) await convergence.reserveOverlay(name);
    }
    await execute(planDeploy(nodes), convergence, options);
  });
}

/** Deletes every server of this cluster and what belongs to it in the cloud. Returns the names of the servers. */
export async function down(project: Project, names?: readonly string[]): Promise<readonly string[]> {
  const { machines, convergence } = await openSession(project);
  try {
    const present = (await machines.list()).map(({ name }) => name);
    const doomed = names ? present.filter((name) => names.includes(name)) : present;
    await machines.remove(doomed);
    if (!names) await machines.removeShared();
    return doomed;
  } finally {
    convergence.close();
  }
}

function execute(plan: Plan, convergence: Session['convergence'], options: RunOptions): Promise<void> {
  return executePlan(plan, (step, signal) => convergence.run(step, signal), {
    ...options,
    now: () => performance.now(),
  });
}

async function inSession(
  project: Project,
  options: RunOptions,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const onProgress = (node: string, message: string) =>
    options.listener({ type: 'step-progress', node, message });
  const session = await openSession(project, { onProgress });
  try {
    await work(session);
  } finally {
    session.convergence.close();
  }
}
