import { Command } from 'commander';
import { action, type ProjectOptions, projectOf, rendererFor, withProjectOptions } from './command.js';

interface Options extends ProjectOptions {
  plan?: boolean;
  output?: string;
  verbose?: boolean;
}

export function upCommand(): Command {
  return withProjectOptions(new Command('up'))
    .description(
      'make the cluster what cluster.yaml says: create what is missing, bootstrap it, deploy what differs',
    )
    .option('--plan', 'say what would be done, and do nothing')
    .option('-o, --output <format>', 'text, or json for one event per line')
    .option('-v, --verbose', 'show the output of builds')
    .action(
      action(async (signal, options: Options) => {
        const project = await projectOf(options);
        const { previewUp, up } = await import('../up/up.js');
        if (options.plan) {
          const { renderPlan } = await import('../up/plan.js');
          const plan = await previewUp(project);
          process.stdout.write(options.output === 'json' ? `${JSON.stringify(plan)}\n` : renderPlan(plan));
          return;
        }
        const listener = await rendererFor(options.output, options.verbose ?? false);
        await up(project, { listener, signal });
      }),
    );
}
