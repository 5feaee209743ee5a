/** Makes a bundle the desired revision of a node and waits for the agent's result. */
import { setTimeout as delay } from 'node:timers/promises';
import { Outcome, Phase, type Result } from '../../proto/gen/nixinfra/v1/agent.js';
import type { NodeState } from '../../proto/gen/nixinfra/v1/operator.js';
import { Problem } from '../../shared/errors.js';
import type { Operator } from '../operator-client/operator-client.js';
import type { Bundle } from '../project/bundle.js';
import { upDefaults } from './defaults.js';

export interface DeployOptions {
  signal: AbortSignal;
  onProgress: (message: string) => void;
  deadlineMs?: number;
}

/** True when the node's last result says that it runs this revision and nothing else is wanted. */
export function runsRevision(state: NodeState | undefined, revision: string): boolean {
  const outcome = state?.result?.outcome;
  const good = outcome === Outcome.OUTCOME_APPLIED || outcome === Outcome.OUTCOME_UNCHANGED;
  return state?.desiredRevision === revision && state.result?.revision === revision && good;
}

/** Ends when the node runs the bundle; throws `apply.rejected`, `apply.unhealthy`, `apply.timeout`, `interrupted`. */
export async function deployNode(
  operator: Operator,
  bundle: Bundle,
  options: DeployOptions,
): Promise<string> {
  const { node, revision } = bundle;
  const deadline = AbortSignal.timeout(options.deadlineMs ?? upDefaults.deployMs);
  const ended = AbortSignal.any([options.signal, deadline]);
  await operator.setDesired(bundle);
  let said = '';
  let lost: unknown;
  while (!ended.aborted) {
    try {
      for await (const state of operator.watchNode(node, ended)) {
        lost = undefined;
        const message = progressOf(state, revision);
        if (message && message !== said) options.onProgress(message);
        said = message ?? said;
        // The controller leaves out a result that answers an older order of the same revision.
        if (state.result?.revision === revision && state.desiredRevision === revision)
          return outcome(node, state.result);
        if (state.desiredRevision !== revision) {
          throw new Problem('apply.busy', `Somebody else deploys ${node}`, {
            node,
            reason: `revision ${state.desiredRevision.slice(0, 12)} was ordered meanwhile`,
          });
        }
      }
    } catch (error) {
      // A controller may go away, perhaps because this deploy restarts it; the next one goes on.
      if (!(error instanceof Problem) || !['controller.unreachable', 'etcd.unavailable'].includes(error.code))
        throw error;
      lost = error;
    }
    if (!ended.aborted) await delay(upDefaults.pollMs, undefined, { signal: ended }).catch(() => undefined);
  }
  if (options.signal.aborted) throw new Problem('interrupted', 'Interrupted', { node });
  throw (
    lost ?? new Problem('apply.timeout', `${node} did not report a result in time`, { node, reason: said })
  );
}

const phaseNames: Partial<Record<Phase, string>> = {
  [Phase.PHASE_FETCHING]: 'fetching',
  [Phase.PHASE_STAGING]: 'staging',
  [Phase.PHASE_BUILDING]: 'building',
  [Phase.PHASE_DRAINING]: 'draining',
  [Phase.PHASE_SWITCHING]: 'switching',
  [Phase.PHASE_SETTLING]: 'settling',
};

function progressOf({ progress }: NodeState, revision: string): string | undefined {
  if (progress?.revision !== revision) return undefined;
  return [phaseNames[progress.phase], progress.message].filter(Boolean).join(': ');
}

function outcome(node: string, result: Result): string {
  const details = { node, reason: result.message, log: result.log };
  switch (result.outcome) {
    case Outcome.OUTCOME_APPLIED:
      return `applied ${result.revision.slice(0, 12)}`;
    case Outcome.OUTCOME_UNCHANGED:
      return `runs ${result.revision.slice(0, 12)}`;
    case Outcome.OUTCOME_REJECTED:
      throw new Problem(
        'apply.rejected',
        `${node} rejected the configuration; it runs what it ran before`,
        details,
      );
    case Outcome.OUTCOME_UNHEALTHY:
      throw new Problem(
        'apply.unhealthy',
        `${node} applied the configuration, but not every unit works`,
        details,
      );
    default:
      throw new Problem('internal', `${node} sent a result that is not known`, details);
  }
}
