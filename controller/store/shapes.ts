/** The shape of every value in etcd that the controller reads, checked where it enters. */
import { z } from 'zod';
import type { Health, Hello, Progress, Result } from '../../proto/gen/nixinfra/v1/agent.js';
import * as wire from '../../proto/gen/nixinfra/v1/agent.js';
import { Problem } from '../../shared/errors.js';

export const nodeShape = z.object({ name: z.string(), ipv4: z.string(), services: z.array(z.string()) });
export type ClusterNode = z.infer<typeof nodeShape>;

/** One order of the leader: which revision, under which fencing token, and how (ApplyOptions of the wire contract). */
export const desiredShape = z.object({
  revision: z.string(),
  /** Empty in a key that a release without rollouts wrote: nothing that is carried out. */
  order: z.string().default(''),
  /** Of the etcd that the order was given in (epoch.ts). */
  epoch: z.number().default(0),
  token: z.number().default(0),
  options: z
    .object({
      drainMs: z.number(),
      settleMs: z.number(),
      confirmMs: z.number(),
      force: z.boolean(),
    })
    .default({ drainMs: 0, settleMs: 0, confirmMs: 0, force: false }),
});
export type DesiredValue = z.infer<typeof desiredShape>;

export const prepareShape = z.object({ request: z.string(), revision: z.string() });
export type PrepareValue = z.infer<typeof prepareShape>;

export const leaderShape = z.object({ controller: z.string(), nonce: z.string(), sinceMs: z.number() });
export type LeaderValue = z.infer<typeof leaderShape>;

/** Who holds the cluster, since when and why: one rollout at a time. */
export const lockShape = z.object({
  rollout: z.string(),
  who: z.string(),
  why: z.string(),
  sinceMs: z.number(),
});
export type LockValue = z.infer<typeof lockShape>;

export const sessionShape = z.object({ controller: z.string(), sinceMs: z.number() });
export type SessionValue = z.infer<typeof sessionShape>;

export const overlayShape = z.object({ subnet: z.string(), ipv4: z.string() });
/** flannel's lease attributes; the rest is flannel's own. */
export const subnetShape = z.object({ PublicIP: z.string() });

export const manifestShape = z.object({
  revision: z.string(),
  node: z.string(),
  files: z.array(z.object({ path: z.string(), mode: z.number(), sha256: z.string(), size: z.number() })),
});

export const metaShape = z.object({ publish: z.object({ port: z.number() }).optional() });
export const instanceShape = z.object({ node: z.string(), ipv4: z.string(), port: z.number() });

/** Last words of a node. The messages are stored in protobuf's JSON form, so that a person can read them with etcdctl. */
export interface NodeStatus {
  hello?: Hello | undefined;
  health?: Health | undefined;
  progress?: Progress | undefined;
  result?: Result | undefined;
  seenMs: number;
}

const statusShape = z.object({
  hello: z.unknown().optional(),
  health: z.unknown().optional(),
  progress: z.unknown().optional(),
  result: z.unknown().optional(),
  seenMs: z.number(),
});

/** Parses the JSON of a key, or throws `etcd.invalid` naming the key. */
export function parseValue<T>(key: string, value: Buffer, shape: z.ZodType<T>): T {
  let json: unknown;
  try {
    json = JSON.parse(value.toString());
  } catch (cause) {
    throw new Problem('etcd.invalid', 'A value in etcd is not JSON', { where: key, cause });
  }
  const parsed = shape.safeParse(json);
  if (parsed.success) return parsed.data;
  const reason = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  throw new Problem('etcd.invalid', 'A value in etcd is not what it should be', { where: key, reason });
}

/** The value, or undefined where it is not what it should be: for what somebody else may have written. */
export function readValue<T>(value: Buffer, shape: z.ZodType<T>): T | undefined {
  try {
    return parseValue('', value, shape);
  } catch {
    return undefined;
  }
}

export function parseStatus(key: string, value: Buffer): NodeStatus {
  const raw = parseValue(key, value, statusShape);
  return {
    hello: raw.hello === undefined ? undefined : wire.Hello.fromJSON(raw.hello),
    health: raw.health === undefined ? undefined : wire.Health.fromJSON(raw.health),
    progress: raw.progress === undefined ? undefined : wire.Progress.fromJSON(raw.progress),
    result: raw.result === undefined ? undefined : wire.Result.fromJSON(raw.result),
    seenMs: raw.seenMs,
  };
}

/** What a node's haproxy serves, in protobuf's JSON form; absent fields are what protobuf says they are. */
export const meshShape = z.unknown().transform((value) => wire.Mesh.fromJSON(value));

export function renderStatus(status: NodeStatus): string {
  return JSON.stringify({
    hello: status.hello && wire.Hello.toJSON(status.hello),
    health: status.health && wire.Health.toJSON(status.health),
    progress: status.progress && wire.Progress.toJSON(status.progress),
    result: status.result && wire.Result.toJSON(status.result),
    seenMs: status.seenMs,
  });
}
