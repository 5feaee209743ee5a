import { Command } from 'commander';
import { parseDuration } from '../rollout/duration.js';
import {
  action,
  askYes,
  canAsk,
  outputOf,
  type ProjectOptions,
  projectOf,
  rendererFor,
  withProjectOptions,
} from './command.js';
import { type RolloutFlags, rolloutOptions, withRolloutOptions } from './rollout-options.js';

interface Options extends ProjectOptions, RolloutFlags {
  on?: string;
  planOnly?: boolean;
  yes?: boolean;
  lockWait?: string;
  message?: string;
  detach?: boolean;
  output?: string;
  verbose?: boolean;
}

export function deployCommand(): Command {
  const command = withProjectOptions(new Command('deploy'))
    .description('plan what the project folder changed, show it, and roll it out in waves')
    .option('--on <selector>', 'names, globs and @tags, e.g. "worker*,@edge" (default: every node)')
    .option('--plan-only', 'make and show the plan, and start nothing')
    .option('-y, --yes', 'do not ask; without a terminal nobody is asked anyway')
    .option('-m, --message <why>', 'why; shown to others while it runs, and in the list of rollouts')
    .option(
      '--lock-wait <duration>',
      'wait this long for another rollout to end, e.g. 10m (default: not at all)',
    )
    .option('--detach', 'start it and do not watch')
    .option('-o, --output <format>', 'text, or json for one event per line (with --plan-only: the plan)')
    .option('-v, --verbose', 'show what agents report while they work');
  return withRolloutOptions(command).action(
    action(async (signal, options: Options) => {
      const output = outputOf(options.output);
      const rollout = rolloutOptions(options);
      const lockWaitMs = options.lockWait === undefined ? 0 : parseDuration(options.lockWait, '--lock-wait');
      const project = await projectOf(options);
      const { deploy } = await import('../up/up.js');
      const asJson = options.planOnly === true && output === 'json';
      const listener = asJson ? () => undefined : await rendererFor(output, options.verbose ?? false);
      const made = await deploy(project, options.on, {
        listener,
        signal,
        rollout,
        lockWaitMs,
        why: options.message ?? '',
        planOnly: options.planOnly ?? false,
        detach: options.detach ?? false,
        confirm: options.yes || !canAsk() ? undefined : () => askYes('Proceed?'),
      });
      if (asJson) process.stdout.write(`${JSON.stringify(made, null, 2)}\n`);
    }),
  );
}
