/** Has nodes build a revision without running it, and waits for what they found. */
import type { Logger } from 'pino';
import { Prepared } from '../../proto/gen/nixinfra/v1/agent.js';
import { Problem } from '../../shared/errors.js';
import type { Change, EtcdStore } from '../../shared/etcd/store.js';
import { rolloutDefaults as defaults } from '../rollout/defaults.js';
import { phaseName } from '../rollout/events.js';
import { keys, parseNodeKey } from '../store/keys.js';
import { parseStatus } from '../store/shapes.js';

export interface PrepareRequest {
  node: string;
  revision: string;
  /** Unique per plan, so that an older answer is not taken for ours. */
  request: string;
}

export interface PreparationParts {
  etcd: EtcdStore;
  log: Logger;
  onProgress(node: string, message: string): void;
  /** Ends the wait: the operator went away. */
  signal: AbortSignal;
}

/** One node's way from the request to its answer. */
interface Waiting {
  request: PrepareRequest;
  said: string;
  awaySince: number | undefined;
  /** Our request was seen in the node's key; another one after it is another plan's. */
  asked: boolean;
}

/**
 * The answers of all nodes, in the order of the requests. Throws `apply.rejected` for the first whose configuration does not build (its
 * log comes along), `agent.missing` when a node goes away, `apply.timeout`, `interrupted`.
 */
export async function prepareNodes(
  requests: readonly PrepareRequest[],
  parts: PreparationParts,
): Promise<Prepared[]> {
  if (requests.length === 0) return [];
  const { etcd, signal } = parts;
  const waiting = new Map<string, Waiting>(
    requests.map((request) => [request.node, { request, said: '', awaySince: undefined, asked: false }]),
  );
  const answers = new Map<string, Prepared>();
  return new Promise((resolve, reject) => {
    const end = (act: () => void) => {
      watch.close();
      clearInterval(timer);
      signal.removeEventListener('abort', interrupted);
      act();
    };
    const interrupted = () => end(() => reject(new Problem('interrupted', 'Interrupted')));
    const started = Date.now();
    const look = () => {
      const late =
        [...waiting.values()].find(({ awaySince }) => isGone(awaySince)) ?? overdue(started, waiting);
      if (late) end(() => reject(lateProblem(late)));
    };
    const watch = etcd.watchPrefix(keys.nodes, (change) => {
      const overtaken = isOvertaken(change, waiting);
      if (overtaken !== undefined) return end(() => reject(overtakenProblem(overtaken)));
      const answer = take(change, waiting, parts);
      if (!answer) return;
      const node = parseNodeKey(change.key)?.node ?? '';
      answers.set(node, answer);
      waiting.delete(node);
      if (!answer.ok) return end(() => reject(rejection(node, answer)));
      parts.onProgress(node, 'prepared');
      if (waiting.size === 0)
        end(() => resolve(requests.map((request) => answers.get(request.node) as Prepared)));
    });
    const timer = setInterval(look, defaults.tickMs);
    signal.addEventListener('abort', interrupted, { once: true });
    // Written after the watch began, so that no answer can be missed.
    Promise.all(
      requests.map(({ node, revision, request }) =>
        etcd.put(keys.prepare(node), JSON.stringify({ request, revision })),
      ),
    ).catch((error: unknown) => end(() => reject(error)));
  });
}

/** The node whose request was replaced by that of another plan. */
function isOvertaken({ key, entry }: Change, waiting: ReadonlyMap<string, Waiting>): string | undefined {
  const parsed = parseNodeKey(key);
  const mine = parsed?.what === 'prepare' ? waiting.get(parsed.node) : undefined;
  if (!mine) return undefined;
  // JSON that we wrote, or that another plan wrote: a part of its text is enough to tell which.
  const ours = entry?.value.toString().includes(JSON.stringify(mine.request.request)) ?? false;
  if (ours) mine.asked = true;
  return mine.asked && !ours ? mine.request.node : undefined;
}

function overtakenProblem(node: string): Problem {
  return new Problem('rollout.stale', 'Another plan is being made; this one was given up', {
    node,
    reason: `${node} prepares for the other one`,
  });
}

/** Learns from a change of a node's keys; the answer, when it is one to our request. */
function take(
  change: Change,
  waiting: ReadonlyMap<string, Waiting>,
  parts: PreparationParts,
): Prepared | undefined {
  const parsed = parseNodeKey(change.key);
  const mine = parsed && waiting.get(parsed.node);
  if (!parsed || !mine) return undefined;
  try {
    if (parsed.what === 'session') mine.awaySince = change.entry ? undefined : Date.now();
    if (!change.entry) return undefined;
    if (parsed.what === 'prepared') {
      const answer = Prepared.fromJSON(JSON.parse(change.entry.value.toString()));
      return answer.request === mine.request.request ? answer : undefined;
    }
    if (parsed.what === 'status') {
      const { progress } = parseStatus(change.key, change.entry.value);
      if (progress?.order !== mine.request.request) return undefined;
      const now = phaseName(progress.phase);
      if (now === mine.said) return undefined;
      mine.said = now;
      parts.onProgress(parsed.node, now);
    }
  } catch (error) {
    parts.log.warn({ key: change.key, err: error }, 'a value of a node is not readable');
  }
  return undefined;
}

function isGone(awaySince: number | undefined): boolean {
  return awaySince !== undefined && Date.now() - awaySince > defaults.prepareAwayMs;
}

function overdue(started: number, waiting: ReadonlyMap<string, Waiting>): Waiting | undefined {
  return Date.now() - started > defaults.prepareMs ? [...waiting.values()][0] : undefined;
}

function lateProblem({ request: { node }, awaySince }: Waiting): Problem {
  return awaySince === undefined
    ? new Problem('apply.timeout', `${node} did not build the configuration in time`, { node })
    : new Problem('agent.missing', `The agent of ${node} went away while it built the configuration`, {
        node,
      });
}

function rejection(node: string, { message, log }: Prepared): Problem {
  return new Problem('apply.rejected', `${node} rejects the configuration; nothing was changed on any node`, {
    node,
    reason: message,
    log,
  });
}

/** The plan is made: what it was made from is no longer needed, unless another plan asked meanwhile. */
export async function forgetPreparation(etcd: EtcdStore, node: string, request: string): Promise<void> {
  const key = keys.prepare(node);
  const entry = await etcd.get(key).catch(() => undefined);
  if (!entry?.value.toString().includes(JSON.stringify(request))) return;
  const conditions = [{ key, modRevision: entry.modRevision }];
  const writes = [key, keys.prepared(node)].map((each) => ({ do: 'delete', key: each }) as const);
  await etcd.transact(conditions, writes).catch(() => false);
}
