/** `nix-infra rollout …`: see, watch, stop, continue and take back what `deploy` started. */
import { Command } from 'commander';
import { parseDuration } from '../rollout/duration.js';
import {
  action,
  askYes,
  canAsk,
  type Output,
  outputOf,
  type ProjectOptions,
  projectOf,
  rendererFor,
  withProjectOptions,
} from './command.js';

interface Options extends ProjectOptions {
  output?: string;
  verbose?: boolean;
  /** `--no-undo` */
  undo?: boolean;
  yes?: boolean;
  message?: string;
  lockWait?: string;
  detach?: boolean;
}

export function rolloutCommand(): Command {
  const rollout = new Command('rollout').description('see, watch, abort, resume and undo rollouts');
  add(rollout, 'list', 'every rollout that was started, newest first').action(
    action(async (_signal, options: Options) => {
      const output = outputOf(options.output);
      const { listRollouts, rolloutTable } = await import('../up/rollouts.js');
      const all = await listRollouts(await projectOf(options));
      write(output === 'json' ? json(all) : rolloutTable(all));
    }),
  );
  addWithId(rollout, 'show', 'what a rollout changes, and what became of each node').action(
    action(async (_signal, id: string | undefined, options: Options) => {
      const output = outputOf(options.output);
      const { rolloutDetails, showRollout } = await import('../up/rollouts.js');
      const view = await showRollout(await projectOf(options), id);
      write(output === 'json' ? json(view.rollout) : rolloutDetails(view));
    }),
  );
  addWithId(rollout, 'watch', 'follow a rollout to its end; ends with its exit code')
    .option('-v, --verbose', 'show what agents report while they work')
    .action(
      action(async (signal, id: string | undefined, options: Options) => {
        const listener = await rendererFor(options.output, options.verbose ?? false);
        const { watchRollout } = await import('../up/rollouts.js');
        await watchRollout(await projectOf(options), id, { listener, signal });
      }),
    );
  addWithId(rollout, 'abort', 'move no further node, and bring back those that were moved')
    .option('--no-undo', 'leave nodes that were moved where they are')
    .action(
      action(async (_signal, id: string | undefined, options: Options) => {
        await steer('abort', id, options, options.undo === false);
      }),
    );
  addWithId(rollout, 'resume', 'go on with a rollout that is paused').action(
    action(async (_signal, id: string | undefined, options: Options) => steer('resume', id, options, false)),
  );
  addWithId(rollout, 'undo', 'bring the nodes of a rollout that ended back to what they ran before it')
    .option('-y, --yes', 'do not ask; without a terminal nobody is asked anyway')
    .option('-m, --message <why>', 'why; shown to others while it runs, and in the list of rollouts')
    .option('--lock-wait <duration>', 'wait this long for another rollout to end (default: not at all)')
    .option('--detach', 'start it and do not watch')
    .option('-v, --verbose', 'show what agents report while they work')
    .action(
      action(async (signal, id: string | undefined, options: Options) => {
        const lockWaitMs =
          options.lockWait === undefined ? 0 : parseDuration(options.lockWait, '--lock-wait');
        const listener = await rendererFor(options.output, options.verbose ?? false);
        const { undoRollout } = await import('../up/rollouts.js');
        await undoRollout(await projectOf(options), id, {
          listener,
          signal,
          lockWaitMs,
          why: options.message ?? '',
          detach: options.detach ?? false,
          confirm: options.yes || !canAsk() ? undefined : () => askYes('Proceed?'),
        });
      }),
    );
  return rollout;
}

async function steer(
  what: 'abort' | 'resume',
  id: string | undefined,
  options: Options,
  noUndo: boolean,
): Promise<void> {
  const output = outputOf(options.output);
  const { steerRollout } = await import('../up/rollouts.js');
  const steered = await steerRollout(await projectOf(options), id, what, noUndo);
  write(steerText(output, what, steered));
}

function steerText(output: Output, what: string, id: string): string {
  if (output === 'json') return json({ rollout: id, asked: what });
  return `asked ${id} to ${what}; watch it with \`nix-infra rollout watch ${id}\`\n`;
}

function add(parent: Command, name: string, description: string): Command {
  return withProjectOptions(parent.command(name))
    .description(description)
    .option('-o, --output <format>', 'text or json');
}

function addWithId(parent: Command, name: string, description: string): Command {
  return add(parent, name, description).argument('[id]', 'default: the one that runs, else the newest');
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function write(text: string): void {
  process.stdout.write(text);
}
