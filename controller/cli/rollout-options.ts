/** The options of a rollout as an operator writes them. */
import { type Command, Option } from 'commander';
import { Problem } from '../../shared/errors.js';
import { parseDuration } from '../rollout/duration.js';
import { parseOptions, type RolloutOptions } from '../rollout/options.js';

/** As commander reads them. */
export interface RolloutFlags {
  maxUnavailable?: string;
  pause?: string;
  force?: boolean;
  /** `--no-undo` */
  undo?: boolean;
  drainTimeout?: string;
  settle?: string;
  confirmTimeout?: string;
  unreachableAfter?: string;
  deadline?: string;
}

export function withRolloutOptions(command: Command): Command {
  const duration = (flag: string, text: string) =>
    command.addOption(new Option(`${flag} <duration>`, `${text}, e.g. 30s or 5m`));
  command
    .option('--max-unavailable <n>', 'nodes of one service group that may be away at a time (default: 1)')
    .option('--pause <duration>', 'wait between waves, e.g. 5m; or `manual`, until `rollout resume`')
    .option(
      '--force',
      'for emergencies: no canary, no waiting for the mesh, no minimum of apps; stay on a system that is not well',
    )
    .option('--no-undo', 'leave nodes that were moved where they are when another one fails');
  duration('--drain-timeout', 'longest wait for open requests of an instance that leaves (default: 30s)');
  duration('--settle', "units and apps must stay well this long (default: the agent's)");
  duration('--confirm-timeout', 'a node goes back by itself without a confirmation by then (default: 2m)');
  duration('--unreachable-after', 'a node that is away this long counts as lost (default: 4m)');
  duration('--deadline', 'from the start to the end, without the way back (default: 1h)');
  return command;
}

/** Throws `rollout.invalid` naming the flag that is wrong. */
export function rolloutOptions(flags: RolloutFlags): RolloutOptions {
  const ms = (flag: string, text: string | undefined) =>
    text === undefined ? undefined : parseDuration(text, flag);
  const given = {
    maxUnavailable: wholeNumber('--max-unavailable', flags.maxUnavailable),
    pause: flags.pause === 'manual' ? ('manual' as const) : ms('--pause', flags.pause),
    force: flags.force,
    undo: flags.undo,
    drainMs: ms('--drain-timeout', flags.drainTimeout),
    settleMs: ms('--settle', flags.settle),
    confirmMs: ms('--confirm-timeout', flags.confirmTimeout),
    unreachableMs: ms('--unreachable-after', flags.unreachableAfter),
    deadlineMs: ms('--deadline', flags.deadline),
  };
  try {
    return parseOptions(given);
  } catch (error) {
    const { code, message, where, reason } = Problem.from(error);
    const flag = flagNames[where ?? ''] ?? where ?? '';
    throw new Problem(code, message, { where: flag, ...(reason ? { reason } : {}) });
  }
}

const flagNames: Record<string, string> = {
  maxUnavailable: '--max-unavailable',
  pause: '--pause',
  drainMs: '--drain-timeout',
  settleMs: '--settle',
  confirmMs: '--confirm-timeout',
  unreachableMs: '--unreachable-after',
  deadlineMs: '--deadline',
};

function wholeNumber(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new Problem('rollout.invalid', `"${text}" is not a whole number`, { where: flag });
}
