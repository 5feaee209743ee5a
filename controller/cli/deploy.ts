import { Command } from 'commander';
import { action, type ProjectOptions, projectOf, rendererFor, withProjectOptions } from './command.js';

interface Options extends ProjectOptions {
  on?: string;
  output?: string;
  verbose?: boolean;
}

export function deployCommand(): Command {
  return withProjectOptions(new Command('deploy'))
    .description('deploy what the project folder changed, node by node')
    .option('--on <selector>', 'names, globs and @tags, e.g. "worker*,@edge" (default: every node)')
    .option('-o, --output <format>', 'text, or json for one event per line')
    .option('-v, --verbose', 'show what agents report while they work')
    .action(
      action(async (signal, options: Options) => {
        const project = await projectOf(options);
        const { deploy } = await import('../up/up.js');
        const listener = await rendererFor(options.output, options.verbose ?? false);
        await deploy(project, options.on, { listener, signal });
      }),
    );
}
