/** The main roads: up, deploy, down. Each converges, so each may be run again after a failure or a Ctrl-C. */
import { Problem } from '../../shared/errors.js';
import type { Project } from '../project/folder.js';
import { selectNodes } from '../project/selector.js';
import { parseOptions } from '../rollout/options.js';
import type { Rollout } from '../rollout/rollout.js';
import { upDefaults } from './defaults.js';
import { type DeployOptions, deployNodes, readyToDeploy } from './deploy.js';
import type { Listener } from './events.js';
import { executePlan } from './execute.js';
import { type Plan, planUp, type Step } from './plan.js';
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
  await inSession(project, options, async (session) => {
    const plan = planUp(project.config.nodes, await session.convergence.observe());
    await execute(plan, session, options);
  });
}

/** Deploys what the project folder changed, or only says what that would be. `on` is a selector; default: every node. */
export async function deploy(
  project: Project,
  on: string | undefined,
  options: DeployOptions,
): Promise<Rollout> {
  const nodes = on === undefined ? project.config.nodes : selectNodes(project.config.nodes, on);
  return inSession(project, options, async ({ convergence }) => {
    await readyToDeploy(convergence, project, nodes);
    return deployNodes(convergence, nodes, options);
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

/** Runs a plan; its rollout starts unasked, and waits for another one: a command that converges may always be run again. */
export async function execute(
  plan: Plan,
  { convergence, project }: Session,
  options: RunOptions,
): Promise<void> {
  const run = async (step: Step, signal: AbortSignal): Promise<string> => {
    if (step.kind === 'restore') throw new Problem('internal', 'This plan restores nothing');
    if (step.kind !== 'deploy') return convergence.run(step, signal);
    const nodes = project.config.nodes.filter(({ name }) => step.nodes.includes(name));
    const { nodes: changed } = await deployNodes(convergence, nodes, {
      ...options,
      ...unattended('nix-infra up'),
    });
    return changed.length === 0
      ? 'every node runs its revision'
      : `${changed.length} of ${nodes.length} nodes changed`;
  };
  await executePlan(plan, run, { ...options, now: () => performance.now() });
}

/** How a rollout is carried out where nobody says how. */
export function unattended(why: string) {
  return { rollout: parseOptions({}), why, lockWaitMs: upDefaults.lockWaitMs, anyPlan: true };
}

async function inSession<T>(
  project: Project,
  options: RunOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const onProgress = (node: string, message: string) =>
    options.listener({ type: 'step-progress', node, message });
  const session = await openSession(project, { onProgress });
  try {
    return await work(session);
  } finally {
    session.convergence.close();
  }
}
