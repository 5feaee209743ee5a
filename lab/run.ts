/** Starts programs of the host and collects what they say. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Problem } from '../shared/errors.js';
import { labDefaults } from './defaults.js';

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** Added to the environment of this process. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Given on stdin, which is empty without it. */
  input?: string;
  /** The program is killed after this long (ms); default `labDefaults.commandMs`. */
  timeoutMs?: number;
  /** Continues the program when it stops itself: see `exec` of the nspawn driver. */
  unstoppable?: boolean;
  /** Told every line of stdout as it comes. */
  onLine?(line: string): void;
}

/** Runs a program to its end. A program that cannot be started counts as exit 127, one that was killed as 137. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const [command = '', ...args] = argv;
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      cwd: options.cwd,
    });
    // Not spawn's own timeout: its timer runs on, and holds this process, when the program does not exist.
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? labDefaults.commandMs);
    const nudge = options.unstoppable
      ? setInterval(() => child.kill('SIGCONT'), labDefaults.nudgeMs)
      : undefined;
    const done = (ran: Ran) => {
      clearTimeout(timer);
      clearInterval(nudge);
      resolve(ran);
    };
    const out: string[] = [];
    const err: string[] = [];
    child.stdout.setEncoding('utf8').on('data', (text: string) => out.push(text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => err.push(text));
    if (options.onLine) createInterface({ input: child.stdout }).on('line', options.onLine);
    // A program may end without reading; that is no error of the caller's.
    child.stdin.on('error', () => undefined).end(options.input ?? '');
    child.on('error', (error) => done({ code: 127, stdout: '', stderr: error.message }));
    child.on('close', (code) => done({ code: code ?? 137, stdout: out.join(''), stderr: err.join('') }));
  });
}

/** Runs a program that has to succeed; returns its stdout, or throws `lab.failed` with the end of what it said. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(argv, options);
  if (code === 0) return stdout;
  throw new Problem('lab.failed', `\`${argv.join(' ').slice(0, 200)}\` ended with ${code}`, {
    log: lastLines(`${stdout}\n${stderr}`, 15),
  });
}

/** The last lines that are not blank. */
export function lastLines(text: string, count: number): string[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-count);
}
