/** What every command shares: common options, a signal for Ctrl-C, and the rendering of problems. */
import type { Command } from 'commander';
import { Problem, renderProblem } from '../../shared/errors.js';
import type { Project } from '../project/folder.js';
import type { Listener } from '../up/events.js';

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
let interruption = new Problem('interrupted', 'Interrupted');

/** What Ctrl-C means from here on, where it does not stop the work itself. */
export function explainInterruption(problem: Problem): void {
  interruption = problem;
}

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
    const stop = () => {
      if (controller.signal.aborted) return;
      controller.abort(interruption);
      process.stderr.write('\n');
      finish(interruption, stream);
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

/** `-o text` or `-o json`. */
export type Output = 'text' | 'json';

export function outputOf(output: string | undefined): Output {
  if (output === undefined || output === 'text' || output === 'json') return output ?? 'text';
  throw new Problem('usage', `There is no output format "${output}"`, { next: 'use -o text or -o json' });
}

/** The renderer of events that `-o` asks for; at a terminal one that draws in place. */
export async function rendererFor(output: string | undefined, verbose: boolean): Promise<Listener> {
  const listener = await chosenRenderer(outputOf(output), verbose);
  return (event) => {
    if (event.type === 'started' || event.type === 'watching')
      explainInterruption(rolloutGoesOn(event.rollout));
    if (event.type === 'ended') explainInterruption(new Problem('interrupted', 'Interrupted'));
    listener(event);
  };
}

async function chosenRenderer(output: Output, verbose: boolean): Promise<Listener> {
  const { stdout } = process;
  const write = (text: string) => void stdout.write(text);
  const { jsonRenderer, terminalRenderer } = await import('../up/render.js');
  if (output === 'json') return jsonRenderer(write);
  if (!stdout.isTTY) return terminalRenderer(write, { verbose });
  const { liveRenderer } = await import('../up/live-renderer.js');
  const { upDefaults } = await import('../up/defaults.js');
  const every = (draw: () => void) => {
    const timer = setInterval(draw, upDefaults.frameMs).unref();
    return () => clearInterval(timer);
  };
  const screen = { write, size: () => ({ columns: stdout.columns, rows: stdout.rows }) };
  return liveRenderer(screen, { verbose, now: () => Date.now(), every });
}

function rolloutGoesOn(id: string): Problem {
  return new Problem('interrupted', `Interrupted; the rollout ${id} goes on without this command`, {
    next: `watch it with \`nix-infra rollout watch ${id}\`, stop it with \`nix-infra rollout abort ${id}\``,
  });
}

/** Whether somebody sits at a terminal and can be asked. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/** Asks at the terminal; only `y` and `yes` mean yes. The question goes to stderr, which is nobody's data. */
export async function askYes(question: string): Promise<boolean> {
  const { createInterface } = await import('node:readline');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await new Promise<string>((resolve) => {
      // At a terminal readline takes Ctrl-C itself; Ctrl-D is an end without an answer.
      lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
      lines.once('close', () => resolve(''));
      lines.question(`${question} [y/N] `, resolve);
    });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
