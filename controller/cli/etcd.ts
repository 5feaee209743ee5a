/** `nix-infra etcd …`: what etcd holds, out to a file and back. */
import { Command } from 'commander';
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

interface Options extends ProjectOptions {
  output?: string;
  verbose?: boolean;
  yes?: boolean;
}

export function etcdCommand(): Command {
  const etcd = new Command('etcd').description('take a snapshot of etcd, and restore one');
  add(etcd, 'snapshot', 'write all that etcd holds to a file')
    .argument('[file]', 'default: <cluster>-etcd-<time>.db here')
    .action(
      action(async (signal, file: string | undefined, options: Options) => {
        const output = outputOf(options.output);
        const project = await projectOf(options);
        const { snapshotName, takeSnapshot } = await import('../up/snapshot.js');
        const name = file ?? snapshotName(project.config.name, new Date());
        const taken = await takeSnapshot(project, name, signal);
        process.stdout.write(
          output === 'json' ? `${JSON.stringify(taken)}\n` : `${taken.file}: ${taken.bytes} bytes, checked\n`,
        );
      }),
    );
  add(etcd, 'restore', 'put a snapshot in the place of what etcd holds, on all control nodes, over SSH')
    .argument('<file>', 'a file that `etcd snapshot` wrote')
    .option('-y, --yes', 'do not ask')
    .option('-v, --verbose', 'show more')
    .action(
      action(async (signal, file: string, options: Options) => {
        const listener = await rendererFor(options.output, options.verbose ?? false);
        const { restoreEtcd } = await import('../up/restore.js');
        await restoreEtcd(await projectOf(options), file, {
          listener,
          signal,
          warn: (line) => void process.stderr.write(`${line}\n`),
          confirm: options.yes ? undefined : confirm,
        });
      }),
    );
  return etcd;
}

/** What is at stake is all that the cluster knows of itself: silence is no yes here. */
async function confirm(question: string): Promise<boolean> {
  if (canAsk()) return askYes(question);
  process.stderr.write(`${question} There is nobody to ask: add --yes.\n`);
  return false;
}

function add(parent: Command, name: string, description: string): Command {
  return withProjectOptions(parent.command(name))
    .description(description)
    .option('-o, --output <format>', 'text or json');
}
