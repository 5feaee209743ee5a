/** Waits for actions of the cloud: all that are pending in one request, as the rate limit counts each. */
import { Problem } from '../../../shared/errors.js';
import { provisionDefaults as defaults } from '../defaults.js';
import type { HetznerClient } from './client.js';
import { type Action, action } from './wire.js';

/** An action and the node it works for. */
export interface PendingAction {
  node: string;
  action: Action;
}

/** Pause before poll `n` (from 0). */
export function pollPause(n: number): number {
  return defaults.pollMs[Math.min(n, defaults.pollMs.length - 1)] ?? 5000;
}

/** Waits until all have succeeded; throws `provider.action-failed` for the first that did not, or for being late. */
export async function waitActions(client: HetznerClient, pending: readonly PendingAction[]): Promise<void> {
  const end = client.clock.now() + defaults.actionMs;
  let open = pending;
  for (let poll = 0; ; poll += 1) {
    const failed = open.find((each) => each.action.status === 'error');
    if (failed) throw actionFailed(failed);
    open = open.filter((each) => each.action.status === 'running');
    const [late] = open;
    if (!late) return;
    if (client.clock.now() > end) {
      throw new Problem('provider.action-failed', `The cloud does not finish "${late.action.command}"`, {
        node: late.node,
        where: `action ${late.action.id}`,
      });
    }
    await client.clock.sleep(pollPause(poll));
    open = await refreshed(client, open);
  }
}

async function refreshed(client: HetznerClient, open: readonly PendingAction[]): Promise<PendingAction[]> {
  const known = new Map<number, Action>();
  for (let from = 0; from < open.length; from += defaults.actionsPerPoll) {
    const id = open.slice(from, from + defaults.actionsPerPoll).map((each) => String(each.action.id));
    for (const row of await client.list('/actions', 'actions', action, { id })) known.set(row.id, row);
  }
  return open.map((each) => {
    const now = known.get(each.action.id);
    if (now) return { ...each, action: now };
    // Actions outlive their resource; one that is not there will not come.
    throw new Problem('provider.action-failed', `The cloud forgot the action "${each.action.command}"`, {
      node: each.node,
      where: `action ${each.action.id}`,
    });
  });
}

function actionFailed({ node, action: { id, command, error } }: PendingAction): Problem {
  return new Problem('provider.action-failed', `The cloud could not carry out "${command}"`, {
    node,
    where: `action ${id}`,
    reason: error ? `${error.message} (${error.code})` : 'no reason given',
  });
}
