/** Makes plans: has nodes prepare, and puts what they found into waves. A plan changes nothing that runs. */
import { randomBytes } from 'node:crypto';
import { type ServerWritableStream, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { Changes } from '../../proto/gen/nixinfra/v1/agent.js';
import type {
  PlanRolloutRequest,
  PlanRolloutResponse,
  PlanUndoRequest,
  RolloutTarget,
} from '../../proto/gen/nixinfra/v1/operator.js';
import { Problem } from '../../shared/errors.js';
import type { EtcdStore } from '../../shared/etcd/store.js';
import { checkedName, type NodeKind, nodeKinds, serviceGroups } from '../../shared/names.js';
import { shortageOf } from '../rollout/capacity.js';
import { rolloutDefaults as defaults } from '../rollout/defaults.js';
import { parseOptions } from '../rollout/options.js';
import { makePlan, type PreparedNode, rolloutId, undoPlan } from '../rollout/plan.js';
import { isTerminal, type Rollout } from '../rollout/rollout.js';
import { viewOf } from '../rollout/view.js';
import { type BlobStore, checkManifest } from '../store/blobs.js';
import { keys } from '../store/keys.js';
import { RolloutStore, staleWorld } from '../store/rollouts.js';
import { forgetPreparation, prepareNodes } from './preparation.js';
import { type Running, readRunning } from './running.js';
import { toServiceError } from './status.js';

export interface PlannerParts {
  etcd: EtcdStore;
  blobs: BlobStore;
  log: Logger;
  /** Names of all control nodes. */
  control: readonly string[];
}

export class RolloutPlanner {
  readonly #store: RolloutStore;

  constructor(private readonly parts: PlannerParts) {
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
    if (moving.length > defaults.nodesMost)
      throw new Problem('rollout.invalid', `A rollout moves at most ${defaults.nodesMost} nodes`, {
        reason: `${moving.length} nodes differ`,
        next: 'choose some of them with --on',
      });
    for (const { node } of moving) checkReady(node, running.get(node), options.force);
    const requests = moving.map(({ node, revision }) => ({ node, revision, request: id }));
    const prepared = await prepareNodes(requests, { etcd, log, signal, onProgress });
    const known = await this.#knownOf(moving.map(({ node }) => running.get(node)?.revision ?? ''));
    const nodes = moving.map((target, at): PreparedNode => {
      const { system, currentSystem, changes } = prepared[at] as (typeof prepared)[number];
      const { revision, system: ran, desiredChange } = running.get(target.node) as Running;
      // A revision that is not kept here (noted by a bootstrap) cannot be ordered again; one that was switched away from by hand
      // while the node prepared is not what it would have to come back to.
      const from = known.has(revision) && ran === currentSystem ? revision : '';
      return {
        name: target.node,
        kind: target.kind,
        services: target.services,
        from: { revision: from, system: currentSystem },
        to: { revision: target.revision, system },
        desiredChange,
        changes: changes ?? Changes.fromJSON({}),
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
      control: this.parts.control,
    });
    const short = shortageOf(plan);
    if (short) throw shortage(short, plan);
    if (nodes.length > 0) await this.#store.putPlan(plan);
    await Promise.all(moving.map(({ node }) => forgetPreparation(etcd, node, id)));
    return plan;
  }

  /** Those of the revisions whose manifest is kept. */
  async #knownOf(revisions: readonly string[]): Promise<Set<string>> {
    const all = [...new Set(revisions)].filter((revision) => revision !== '');
    const found = await Promise.all(all.map((revision) => this.parts.blobs.getManifest(revision)));
    return new Set(all.filter((_, at) => found[at] !== undefined));
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

  async planUndo({ id, who, why }: PlanUndoRequest): Promise<Rollout> {
    const { etcd } = this.parts;
    const { rollout } = await this.#store.need(id);
    if (!isTerminal(rollout.state))
      throw new Problem('rollout.state', `The rollout ${id} is ${rollout.state}; abort it first`);
    const running = await readRunning(etcd);
    const changes = new Map<string, number>();
    const left: string[] = [];
    const known = await this.#knownOf(rollout.nodes.map(({ from }) => from.revision));
    for (const { name, order, from } of rollout.nodes.filter(({ state }) => state === 'moved')) {
      const now = running.get(name);
      if (!now || !known.has(from.revision)) left.push(name);
      else if (now.order !== order) throw staleWorld(`${name} was ordered something else after ${id}`);
      else {
        checkReady(name, now, rollout.options.force);
        changes.set(name, now.desiredChange);
      }
    }
    const nowMs = Date.now();
    const without = left.length > 0 ? ` (without ${left.join(', ')}: gone, or what it ran is not known)` : '';
    const plan = undoPlan(
      rollout,
      {
        id: rolloutId(nowMs, randomBytes(2).toString('hex')),
        who: who.slice(0, 200),
        why: `${why.slice(0, 1_000)}${without}`,
        nowMs,
        instances: (await this.#view()).instances,
      },
      changes,
    );
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

/** Throws `agent.missing`, or `apply.busy` for a node that has not ended what it was ordered last. */
function checkReady(node: string, running: Running | undefined, force: boolean): void {
  if (!running?.connected)
    throw new Problem('agent.missing', `The agent of ${node} is not connected`, { node });
  if (running.open && !force)
    throw new Problem('apply.busy', `${node} has not ended its last order`, { node });
}

function shortage({ app, node }: { app: string; node: string }, plan: Rollout): Problem {
  const [now, least] = [plan.instances[app] ?? 0, plan.minimums[app] ?? 0];
  return new Problem('rollout.capacity', `${app} cannot be spared on ${node}; nothing was started`, {
    node,
    reason: `${now} of its instances are healthy, and at least ${least} must stay`,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text || '{}');
  } catch (cause) {
    throw Problem.from(cause, 'rollout.invalid', { where: 'options' });
  }
}
