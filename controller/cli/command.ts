/** What every command shares: common options, a signal for Ctrl-C, and the rendering of problems. */
import type { Command } from 'commander';
import { Problem, renderProblem } from '../../shared/errors.js';
import type { Project } from '../project/folder.js';

/** Options of every command that works on a project. */
export interface ProjectOptions {
  workingDir?: string;
  env?: string;
  file?: string;
}

export function withProjectOptions(command: Command): Command {
  return command
    .option(
      '-d, --working-dir <dir>',
      'the project folder (default: the nearest one upwards with a cluster.yaml)',
    )
    .option('--env <file>', 'variables to read (default: .env in the project folder)')
    .option('-f, --file <file>', 'cluster.yaml to use');
}

/** Opens the project that the options name. */
export async function projectOf(options: ProjectOptions): Promise<Project> {
  const { openProject } = await import('../project/folder.js');
  return openProject({
    workingDir: options.workingDir,
    file: options.file,
    envFile: options.env,
    warn: (line) => process.stderr.write(`${line}\n`),
  });
}

/** Where errors go: the predecessor's commands tell them on stdout, and its scripts look there. */
export type ErrorStream = 'stdout' | 'stderr';

let debug = false;

export function setDebug(on: boolean): void {
  debug = on;
}

/** Runs a command's work with a signal for Ctrl-C, and ends the process with the exit code of what went wrong. */
export function action<Args extends unknown[]>(
  work: (signal: AbortSignal, ...args: Args) => Promise<void>,
  stream: ErrorStream = 'stderr',
): (...args: Args) => Promise<void> {
  return async (...args) => {
    const controller = new AbortController();
    const interrupted = new Problem('interrupted', 'Interrupted');
    const stop = () => {
      if (controller.signal.aborted) return;
      controller.abort(interrupted);
      process.stderr.write('\n');
      finish(interrupted, stream);
      // Nothing is undone: every step is one that the next run finds half-done and finishes.
      process.exit();
    };
    process.once('SIGINT', stop).once('SIGTERM', stop);
    try {
      await work(controller.signal, ...args);
    } catch (error) {
      finish(Problem.from(error), stream);
    } finally {
      process.off('SIGINT', stop).off('SIGTERM', stop);
    }
  };
}

function finish(problem: Problem, stream: ErrorStream): void {
  process[stream].write(`${renderProblem(problem)}\n`);
  if (debug)
    process.stderr.write(`${problem.stack}\n${problem.cause instanceof Error ? problem.cause.stack : ''}\n`);
  process.exitCode = problem.exitCode;
}

/** The renderer of events that `-o` asks for. */
export async function rendererFor(output: string | undefined, verbose: boolean) {
  const { jsonRenderer, terminalRenderer } = await import('../up/render.js');
  const write = (text: string) => void process.stdout.write(text);
  if (output === 'json') return jsonRenderer(write);
  if (output !== undefined && output !== 'text') {
    throw new Problem('usage', `There is no output format "${output}"`, { next: 'use -o text or -o json' });
  }
  return terminalRenderer(write, { verbose });
}
