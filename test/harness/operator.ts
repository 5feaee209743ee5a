/** The operator's calls as promises, and bundles from plain texts. */

import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import { isTerminal, type Rollout, rolloutShape } from '../../controller/rollout/rollout.js';
import type { Manifest } from '../../proto/gen/nixinfra/v1/bundle.js';
import {
  type GetStatusResponse,
  type NodeState,
  OperatorServiceClient,
  type PlanRolloutResponse,
} from '../../proto/gen/nixinfra/v1/operator.js';
import { revisionOf, sha256 } from '../../shared/bundle/manifest.js';
import type { CertificateFiles } from './certificates.js';
import { until } from './until.js';

export interface Bundle {
  manifest: Manifest;
  blobs: { sha256: string; gzip: Buffer }[];
}

export function bundleOf(node: string, texts: Record<string, string>): Bundle {
  const files = Object.entries(texts).map(([path, text]) => ({
    path,
    mode: 0o644,
    sha256: sha256(text),
    size: text.length,
  }));
  const blobs = Object.values(texts).map((text) => ({ sha256: sha256(text), gzip: gzipSync(text) }));
  return { manifest: { node, files, revision: revisionOf(node, files) }, blobs };
}

type Reply<T> = (error: ServiceError | null, value: T) => void;

export function asPromise<T>(call: (reply: Reply<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error ? reject(error) : resolve(value)));
  });
}

export interface Target {
  bundle: Bundle;
  kind: string;
  services: string[];
}

export interface Operator {
  client: OperatorServiceClient;
  status(): Promise<GetStatusResponse>;
  node(name: string): Promise<NodeState | undefined>;
  putBlobs(blobs: Bundle['blobs']): Promise<number>;
  /** Puts the blobs and plans; the rejection is the call's error. */
  plan(targets: readonly Target[], options?: object): Promise<Rollout>;
  start(id: string): Promise<void>;
  /** A whole rollout of this one node, to its end; its plan. */
  deploy(bundle: Bundle): Promise<Rollout>;
  steer(id: string, action: 'abort' | 'resume'): Promise<void>;
  planUndo(id: string): Promise<Rollout>;
  rollout(id: string): Promise<Rollout>;
  /** The rollout in its terminal state. */
  ended(id: string, limitMs: number): Promise<Rollout>;
  /** What each node runs, by its name. */
  running(): Promise<Record<string, string>>;
  close(): void;
}

export function operatorAt(port: number, files: CertificateFiles): Operator {
  const secure = credentials.createSsl(
    readFileSync(files.ca),
    readFileSync(files.key),
    readFileSync(files.cert),
  );
  const client = new OperatorServiceClient(`localhost:${port}`, secure);
  const status = () => asPromise<GetStatusResponse>((reply) => client.getStatus({}, reply));
  const putBlobs = async (blobs: Bundle['blobs']) => {
    const { stored } = await asPromise<{ stored: number }>((reply) => {
      const call = client.putBlobs(reply);
      for (const blob of blobs) call.write(blob);
      call.end();
    });
    return stored;
  };
  const rollout = async (id: string) => {
    const { rollouts } = await asPromise<{ rollouts: string[] }>((reply) => client.listRollouts({}, reply));
    const found = rollouts.map((text) => rolloutShape.parse(JSON.parse(text))).find((one) => one.id === id);
    if (!found) throw new Error(`no rollout ${id}`);
    return found;
  };
  const plan: Operator['plan'] = async (targets, options = {}) => {
    await putBlobs(targets.flatMap(({ bundle }) => bundle.blobs));
    const call = client.planRollout({
      targets: targets.map(({ bundle, kind, services }) => ({
        node: bundle.manifest.node,
        kind,
        services,
        manifest: bundle.manifest,
      })),
      options: JSON.stringify(options),
      who: 'alice@here',
      why: 'testing',
    });
    for await (const { step } of call as AsyncIterable<PlanRolloutResponse>)
      if (step?.$case === 'rollout') return rolloutShape.parse(JSON.parse(step.value));
    throw new Error('no plan');
  };
  const start = async (id: string) => {
    await asPromise((reply) => client.startRollout({ id }, reply));
  };
  const ended: Operator['ended'] = (id, limitMs) =>
    until('the end of the rollout', limitMs, async () => {
      const now = await rollout(id);
      return isTerminal(now.state) && now;
    });
  return {
    client,
    status,
    node: async (name) => (await status()).nodes.find((node) => node.name === name),
    putBlobs,
    plan,
    start,
    deploy: async (bundle) => {
      const planned = await plan([{ bundle, kind: 'cluster', services: [] }], { settleMs: 100 });
      if (planned.nodes.length === 0) return planned;
      await start(planned.id);
      await ended(planned.id, 30_000);
      return planned;
    },
    steer: async (id, action) => {
      await asPromise((reply) =>
        client.steerRollout({ id, action, noUndo: false, who: 'alice@here' }, reply),
      );
    },
    planUndo: async (id) => {
      const request = { id, who: 'alice@here', why: 'back' };
      const { rollout } = await asPromise<{ rollout: string }>((reply) => client.planUndo(request, reply));
      return rolloutShape.parse(JSON.parse(rollout));
    },
    rollout,
    ended,
    running: async () => Object.fromEntries((await status()).nodes.map(({ name, system }) => [name, system])),
    close: () => client.close(),
  };
}
