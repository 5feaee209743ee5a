/** How a rollout is carried out: what an operator may say with `deploy`, with the defaults and the limits of each. */
import { z } from 'zod';
import { Problem } from '../../shared/errors.js';
import { rolloutDefaults as defaults } from './defaults.js';

const ms = (least: number, most: number) => z.int().min(least).max(most);
const day = 86_400_000;

export const optionsShape = z.strictObject({
  /** Nodes of one service group that may be away at the same time. */
  maxUnavailable: z.int().min(1).max(1_000).default(defaults.maxUnavailable),
  /** Wait between two waves: milliseconds, or 'manual' until somebody resumes. */
  pause: z.union([ms(0, day), z.literal('manual')]).default(0),
  /** Without the canary, the waiting for the mesh, the minimum of apps and the way back. For emergencies. */
  force: z.boolean().default(false),
  /** Whether a failure brings the nodes that were moved back to what they ran. */
  undo: z.boolean().default(true),
  /** Longest wait for open requests of an instance that left the mesh. */
  drainMs: ms(0, day).default(defaults.drainMs),
  /** Units and apps must stay well this long after the activation. 0: the agent's default. */
  settleMs: ms(0, day).default(0),
  /** Without a confirmation the node goes back by itself this long after the activation began. */
  confirmMs: ms(5_000, day).default(defaults.confirmMs),
  /** A node that is away this long in the middle of an order counts as lost. */
  unreachableMs: ms(1_000, day).default(defaults.unreachableMs),
  /** From the start to a terminal state, the way back not counted. */
  deadlineMs: ms(10_000, day).default(defaults.deadlineMs),
});

export type RolloutOptions = z.infer<typeof optionsShape>;

/** The options with every default; throws `rollout.invalid` naming the first that is wrong. */
export function parseOptions(value: unknown): RolloutOptions {
  const parsed = optionsShape.safeParse(value);
  if (parsed.success) {
    const { settleMs, confirmMs, unreachableMs } = parsed.data;
    if (unreachableMs <= confirmMs)
      throw new Problem('rollout.invalid', 'An option of the rollout is not valid', {
        where: 'unreachableMs',
        reason: `a node that is away may come back by itself within ${confirmMs} ms, and would be given up after ${unreachableMs} ms`,
        next: 'give a longer --unreachable-after, or a shorter --confirm-timeout',
      });
    if (settleMs + defaults.proveMs > confirmMs)
      throw new Problem('rollout.invalid', 'An option of the rollout is not valid', {
        where: 'settleMs',
        reason: `with ${settleMs} ms of settling a node cannot prove itself within ${confirmMs} ms`,
        next: 'give a longer --confirm-timeout, or a shorter --settle',
      });
    return parsed.data;
  }
  const [issue] = parsed.error.issues;
  throw new Problem('rollout.invalid', 'An option of the rollout is not valid', {
    where: issue?.path.join('.') || 'options',
    reason: issue?.message ?? 'not valid',
  });
}
