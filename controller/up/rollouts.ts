/** What operators do with rollouts that there are. */
import { Problem } from '../../shared/errors.js';
import { firstView, type Operator } from '../operator-client/operator-client.js';
import type { Project } from '../project/folder.js';
import { formatDuration } from '../rollout/duration.js';
import { countStates, type RolloutView, wavesIn } from '../rollout/events.js';
import { renderRolloutPlan } from '../rollout/render-plan.js';
import { countText, rolloutFrame } from '../rollout/render-rollout.js';
import { isTerminal, type Rollout } from '../rollout/rollout.js';
import { endedWell, followRollout, type RollOutOptions, rollOut, whoAsks } from './roll-out.js';
import { problemOf } from './rollout-end.js';
import { openSession } from './session.js';
import { table } from './table.js';
import type { RunOptions } from './up.js';

/** Newest first. */
export function listRollouts(project: Project): Promise<Rollout[]> {
  return withOperator(project, (operator) => operator.listRollouts());
}

/** A rollout as it is now; without an id the one that runs, else the newest. Throws `rollout.unknown`. */
export function showRollout(project: Project, id: string | undefined): Promise<RolloutView> {
  return withOperator(project, (operator) => viewOf(operator, id));
}

/** Follows it to its end; throws how it ended unless it succeeded. */
export function watchRollout(
  project: Project,
  id: string | undefined,
  options: RunOptions,
): Promise<Rollout> {
  return withOperator(project, async (operator) =>
    endedWell(await followRollout(operator, id ?? '', options.listener, options.signal)),
  );
}

/** Asks the leader; the id of the rollout that was asked. Throws `rollout.state` when its state does not allow it. */
export function steerRollout(
  project: Project,
  id: string | undefined,
  action: 'abort' | 'resume',
  noUndo: boolean,
): Promise<string> {
  return withOperator(project, async (operator) => {
    const wanted = id ?? (await running(operator)).id;
    await operator.steerRollout({ id: wanted, action, noUndo, who: whoAsks() });
    return wanted;
  });
}

/** Plans, shows, starts and watches the way back of a rollout that has ended. */
export function undoRollout(
  project: Project,
  id: string | undefined,
  options: Omit<RollOutOptions, 'plan'> & { why: string },
): Promise<Rollout> {
  return withOperator(project, async (operator) => {
    const { rollout } = await viewOf(operator, id);
    const why = options.why || `undo ${rollout.id}`;
    return rollOut(operator, { ...options, plan: () => operator.planUndo(rollout.id, whoAsks(), why) });
  });
}

async function viewOf(operator: Operator, id: string | undefined): Promise<RolloutView> {
  const view = await firstView(operator, id ?? '');
  if (view) return view;
  throw new Problem('rollout.unknown', 'There was no rollout yet', {
    next: 'start one with `nix-infra deploy`',
  });
}

async function running(operator: Operator): Promise<Rollout> {
  const { rollout } = await viewOf(operator, undefined);
  if (rollout.state !== 'planned' && !isTerminal(rollout.state)) return rollout;
  throw new Problem('rollout.state', 'No rollout runs', {
    reason: `the newest, ${rollout.id}, is ${rollout.state}`,
  });
}

async function withOperator<T>(project: Project, work: (operator: Operator) => Promise<T>): Promise<T> {
  const { convergence } = await openSession(project);
  try {
    await convergence.locate();
    return await work(await convergence.connected());
  } finally {
    convergence.close();
  }
}

/** One line per rollout. */
export function rolloutTable(rollouts: readonly Rollout[]): string {
  if (rollouts.length === 0) return 'there was no rollout yet\n';
  const rows = rollouts.map(({ id, state, who, why, startedMs, endedMs, nodes, undoes }) => [
    id,
    state,
    startedMs === 0 ? '-' : new Date(startedMs).toISOString(),
    endedMs === 0 ? '-' : formatDuration(endedMs - startedMs),
    countText(countStates(nodes)),
    who,
    why || (undoes === '' ? '' : `undo ${undoes}`),
  ]);
  return `${table([['ROLLOUT', 'STATE', 'STARTED', 'TOOK', 'NODES', 'WHO', 'WHY'], ...rows]).join('\n')}\n`;
}

/** Wide enough for every line: this is no terminal's frame. */
const unlimited = { columns: 1_000, rows: 100_000 };

/** What it changes, where each node is, and why it stopped. */
export function rolloutDetails(view: RolloutView, nowMs: number = Date.now()): string {
  const { rollout } = view;
  const lines = [renderRolloutPlan(rollout).trimEnd()];
  if (rollout.state !== 'planned') {
    lines.push('', ...rolloutFrame(view, nowMs, unlimited).map((line) => line.trimEnd()));
    const failed = rollout.nodes.filter(({ message, state }) => message !== '' && state !== 'moved');
    lines.push(...failed.map(({ name, message }) => `  ${name}: ${message}`));
  }
  if (rollout.cause) {
    const { code, node, message, log } = rollout.cause;
    const waves = wavesIn(rollout);
    lines.push('', `stopped in wave ${waves.indexOf(rollout.wave) + 1} of ${waves.length} [${code}]`);
    lines.push(`  ${[node, message].filter(Boolean).join(': ')}`, ...log.map((line) => `    | ${line}`));
  }
  const problem = isTerminal(rollout.state) ? problemOf(rollout) : undefined;
  if (problem) lines.push('', `${problem.message}`);
  return `${lines.join('\n')}\n`;
}
