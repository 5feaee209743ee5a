import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { Problem } from '../../shared/errors.js';
import { action, type ProjectOptions, projectOf, withProjectOptions } from './command.js';

export function downCommand(): Command {
  return withProjectOptions(new Command('down'))
    .description('delete the servers of this cluster, with everything on them')
    .option('--yes', 'do not ask')
    .action(
      action(async (_signal, options: ProjectOptions & { yes?: boolean }) => {
        const project = await projectOf(options);
        if (!options.yes) await confirm(project.config.name);
        const { down } = await import('../up/up.js');
        const deleted = await down(project);
        process.stdout.write(
          deleted.length === 0 ? 'there were no servers\n' : `deleted ${deleted.join(', ')}\n`,
        );
      }),
    );
}

/** Asks for the cluster's name: deleting cannot be undone. */
async function confirm(cluster: string): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new Problem('usage', 'Deleting needs an answer', { next: 'add --yes where nobody can be asked' });
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question(`This deletes every server of "${cluster}". Type its name to go on: `);
  lines.close();
  if (answer.trim() !== cluster) throw new Problem('interrupted', 'Nothing was deleted');
}
