/** The rollout calls of OperatorService. They make plans and write wishes; acting is the leader's alone (controller/rollout/runner.ts). */
import { randomBytes } from 'node:crypto';
import { type ServerWritableStream, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type {
  PlanRolloutRequest,
  PlanRolloutResponse,
  PlanUndoRequest,
  RolloutTarget,
  SteerRolloutRequest,
} from '../../proto/gen/nixinfra/v1/operator.js';
import { Problem } from '../../shared/errors.js';
import type { EtcdStore } from '../../shared/etcd/store.js';
import { checkedName, type NodeKind, nodeKinds, serviceGroups } from '../../shared/names.js';
import { rolloutDefaults as defaults } from '../rollout/defaults.js';
import { parseOptions } from '../rollout/options.js';
import { makePlan, type PreparedNode, rolloutId, undoPlan } from '../rollout/plan.js';
import { isTerminal, type Rollout } from '../rollout/rollout.js';
import { viewOf } from '../rollout/view.js';
import { type BlobStore, checkManifest } from '../store/blobs.js';
import { keys } from '../store/keys.js';
import type { NodeStore } from '../store/nodes.js';
import { RolloutStore, type Stored, unknownRollout } from '../store/rollouts.js';
import { prepareNodes } from './preparation.js';
import { type Running, readRunning } from './running.js';
import { toServiceError } from './status.js';

export interface RolloutParts {
  etcd: EtcdStore;
  nodes: NodeStore;
  blobs: BlobStore;
  log: Logger;
}

/** How often a wish is written again when the journal changed in between; each loss means that the leader made a step. */
const REQUEST_ATTEMPTS = 20;

export class RolloutService {
  readonly #store: RolloutStore;

  constructor(private readonly parts: RolloutParts) {
    this.#store = new RolloutStore(parts.etcd);
  }

  /** Streams progress, then the plan. Ends the call itself. */
  async plan(call: ServerWritableStream<PlanRolloutRequest, PlanRolloutResponse>): Promise<void> {
    const abandoned = new AbortController();
    call.on('cancelled', () => abandoned.abort());
    try {
      const rollout = await this.#plan(call.request, abandoned.signal, (node, message) => {
        if (!call.cancelled) call.write({ step: { $case: 'progress', value: { node, message } } });
      });
      call.write({ step: { $case: 'rollout', value: JSON.stringify(rollout) } });
      call.end();
    } catch (error) {
      if (!call.cancelled) call.emit('error', toServiceError(error));
    }
  }

  async #plan(
    request: PlanRolloutRequest,
    signal: AbortSignal,
    onProgress: (node: string, message: string) => void,
  ): Promise<Rollout> {
    const { etcd, log } = this.parts;
    const options = parseOptions(parseJson(request.options));
    const targets = request.targets.map(checkTarget);
    await this.#keepManifests(targets);
    const id = rolloutId(Date.now(), randomBytes(2).toString('hex'));
    const running = await readRunning(etcd);
    const moving = targets.filter(({ node, revision }) => running.get(node)?.revision !== revision);
    for (const { node } of moving) {
      if (!running.get(node)?.connected)
        throw new Problem('agent.missing', `The agent of ${node} is not connected`, { node });
    }
    const requests = moving.map(({ node, revision }) => ({ node, revision, request: id }));
    const prepared = await prepareNodes(requests, { etcd, log, signal, onProgress });
    const nodes = moving.map((target, at): PreparedNode => {
      const { system, currentSystem, changes } = prepared[at] as (typeof prepared)[number];
      const { revision: from, desiredChange } = running.get(target.node) as Running;
      return {
        name: target.node,
        kind: target.kind,
        services: target.services,
        from: { revision: from, system: currentSystem },
        to: { revision: target.revision, system },
        desiredChange,
        changes: changes ?? noChanges,
      };
    });
    const plan = makePlan({
      id,
      who: request.who.slice(0, 200),
      why: request.why.slice(0, 1_000),
      nowMs: Date.now(),
      options,
      instances: (await this.#view()).instances,
      nodes,
    });
    if (nodes.length > 0) await this.#store.putPlan(plan);
    return plan;
  }

  /** Also of nodes that do not move: what they run must be known when it has to come back one day. */
  async #keepManifests(targets: readonly CheckedTarget[]): Promise<void> {
    const { blobs } = this.parts;
    const missing = await blobs.missing(
      targets.flatMap(({ manifest }) => manifest.files.map((file) => file.sha256)),
    );
    if (missing.length > 0) {
      const reason = `${missing.length} blobs are missing, the first is ${missing[0]}`;
      throw toServiceError(
        new Problem('bundle.invalid', 'The bundle is not complete', { reason }),
        status.FAILED_PRECONDITION,
      );
    }
    for (const { manifest } of targets) await blobs.putManifest(manifest);
  }

  /** Repeating it for a rollout that was started is a success: the first answer may have been lost. */
  async start(id: string): Promise<void> {
    const stored = await this.#get(id);
    const { rollout } = stored;
    if (rollout.state !== 'planned') return;
    const lock = await this.#store.lock();
    if (lock) throw lockedBy(lock);
    const running = await readRunning(this.parts.etcd);
    const moved = rollout.nodes.find(({ name, from }) => running.get(name)?.system !== from.system);
    if (moved) throw stale(`${moved.name} runs another system than when the plan was made`);
    const now = Date.now();
    const next: Rollout = { ...rollout, state: 'running', startedMs: now };
    const { who, why } = rollout;
    const lockValue = { rollout: id, who, why, sinceMs: now };
    for (let attempt = 1; ; attempt++) {
      try {
        if (await this.#store.start(stored, next, lockValue)) return;
        break;
      } catch (error) {
        // Carried out or not, nobody knows: what it depends on makes a second try harmless, and the journal tells.
        if ((await this.#get(id)).rollout.state !== 'planned') return;
        if (attempt >= defaults.writeAttempts) throw error;
      }
    }
    if ((await this.#get(id)).rollout.state !== 'planned') return;
    const other = await this.#store.lock();
    if (other) throw lockedBy(other);
    throw stale('a node was ordered something else since the plan was made');
  }

  async list(): Promise<Rollout[]> {
    return (await this.#store.all()).map(({ rollout }) => rollout).filter(({ state }) => state !== 'planned');
  }

  /** The one that is named; without a name the one that runs, else the newest that ran. */
  async find(id: string): Promise<Rollout> {
    if (id !== '') return (await this.#get(id)).rollout;
    const lock = await this.#store.lock();
    const newest = lock ? (await this.#store.get(lock.rollout))?.rollout : (await this.list())[0];
    if (!newest) throw new Problem('rollout.unknown', 'There was no rollout yet');
    return newest;
  }

  async steer({ id, action, noUndo, who }: SteerRolloutRequest): Promise<void> {
    if (action !== 'abort' && action !== 'resume')
      throw new Problem('usage', `"${action.slice(0, 40)}" is neither abort nor resume`);
    for (let attempt = 0; attempt < REQUEST_ATTEMPTS; attempt++) {
      const stored = await this.#get(id);
      const { state } = stored.rollout;
      const allowed = action === 'abort' ? ['running', 'paused'] : ['paused'];
      if (!allowed.includes(state)) {
        throw new Problem('rollout.state', `The rollout ${id} is ${state}; it cannot ${action} now`);
      }
      if (await this.#store.request(stored, { action, noUndo, who: who.slice(0, 200) })) return;
    }
    throw new Problem('rollout.state', `The rollout ${id} changed too often to be told to ${action}`);
  }

  async planUndo({ id, who, why }: PlanUndoRequest): Promise<Rollout> {
    const { etcd } = this.parts;
    const { rollout } = await this.#get(id);
    if (!isTerminal(rollout.state))
      throw new Problem('rollout.state', `The rollout ${id} is ${rollout.state}; abort it first`);
    const running = await readRunning(etcd);
    const changes = new Map<string, number>();
    for (const { name, order, state } of rollout.nodes.filter((node) => node.state === 'moved')) {
      const now = running.get(name);
      if (now?.order !== order)
        throw stale(`${name} was ordered something else after ${id} (it was ${state})`);
      changes.set(name, now.desiredChange);
    }
    const now = Date.now();
    const input = { id: rolloutId(now, randomBytes(2).toString('hex')), who, why, nowMs: now };
    const plan = undoPlan(rollout, { ...input, instances: (await this.#view()).instances }, changes);
    const nodes = plan.nodes.map((node) => ({
      ...node,
      from: { ...node.from, system: running.get(node.name)?.system ?? node.from.system },
    }));
    if (nodes.length === 0)
      throw new Problem(
        'rollout.state',
        `The rollout ${id} left no node on a new revision; there is nothing to undo`,
      );
    await this.#store.putPlan({ ...plan, nodes });
    return { ...plan, nodes };
  }

  async #get(id: string): Promise<Stored> {
    const stored = /^[a-z0-9-]{1,60}$/.test(id) ? await this.#store.get(id) : undefined;
    if (!stored) throw unknownRollout(id);
    return stored;
  }

  async #view() {
    const listings = await Promise.all(
      serviceGroups.map((group) => this.parts.etcd.getPrefix(keys.group(group))),
    );
    const entries = listings.flatMap((listing) => listing.entries);
    return viewOf(entries, (error) => this.parts.log.warn({ err: error }, 'an instance is not readable'));
  }
}

interface CheckedTarget {
  node: string;
  kind: NodeKind;
  services: readonly string[];
  revision: string;
  manifest: ReturnType<typeof checkManifest>;
}

function checkTarget({ node: name, kind, services, manifest: given }: RolloutTarget): CheckedTarget {
  const node = checkedName(name, 'node');
  const manifest = checkManifest(node, given);
  const known = nodeKinds.find((one) => one === kind);
  if (!known) throw new Problem('usage', `"${kind.slice(0, 40)}" is not a kind of node`, { node });
  const groups: readonly string[] = serviceGroups;
  const wrong = services.find((group) => !groups.includes(group));
  if (wrong !== undefined)
    throw new Problem('usage', `"${wrong.slice(0, 40)}" is not a service group`, { node });
  return { node, kind: known, services, revision: manifest.revision, manifest };
}

const noChanges = {
  files: [],
  stop: [],
  start: [],
  restart: [],
  reload: [],
  packages: [],
  apps: [],
  needsReboot: false,
};

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text || '{}');
  } catch (cause) {
    throw Problem.from(cause, 'rollout.invalid', { where: 'options' });
  }
}

function stale(reason: string): Problem {
  return new Problem('rollout.stale', 'The cluster changed after the plan was made; nothing was done', {
    reason,
  });
}

function lockedBy({
  rollout,
  who,
  why,
  sinceMs,
}: {
  rollout: string;
  who: string;
  why: string;
  sinceMs: number;
}): Problem {
  const since = new Date(sinceMs).toISOString();
  return new Problem('rollout.locked', `The rollout ${rollout} runs`, {
    reason: `${who} holds the lock since ${since}${why ? `: ${why}` : ''}`,
  });
}
