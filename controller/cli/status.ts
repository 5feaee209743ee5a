import { Command } from 'commander';
import { action, type ProjectOptions, projectOf, withProjectOptions } from './command.js';

export function statusCommand(): Command {
  return withProjectOptions(new Command('status'))
    .description('show nodes, agents, revisions, apps, instances and etcd')
    .option('--json', 'as one JSON object')
    .action(
      action(async (_signal, options: ProjectOptions & { json?: boolean }) => {
        const project = await projectOf(options);
        const { readStatus } = await import('../up/status.js');
        const { renderStatus } = await import('../up/render-status.js');
        const view = await readStatus(project);
        process.stdout.write(options.json ? `${JSON.stringify(view, null, 2)}\n` : renderStatus(view));
      }),
    );
}
