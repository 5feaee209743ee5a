/** Runs `nix-infra` when it is meant to fail, or to be stopped: the exit code and the output are the result, never a throw. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

export interface Outcome {
  /** Null when a signal ended the process. */
  code: number | null;
  signal: NodeJS.Signals | null;
  /** stdout, then stderr: mixed as they come, a line of one may begin in the middle of a line of the other. */
  output: string;
}

export interface OutcomeOptions {
  cwd: string;
  env?: Readonly<Record<string, string>>;
  /** Sends `signal` when `pattern` is in one of the two streams. */
  stop?: { pattern: RegExp; signal: NodeJS.Signals };
  /** Does something once, when `pattern` is in one of the two streams; the outcome waits for it. */
  on?: { pattern: RegExp; act: () => Promise<void> };
  /** The process is killed after this long (ms), so that a command that hangs is a failed assertion and no dead test. */
  limitMs?: number;
}

/** Two thirds of the whole file's time: no single command may need more. */
const LIMIT_MS = 80_000;

export function outcomeOf(root: string, args: readonly string[], options: OutcomeOptions): Promise<Outcome> {
  const { cwd, env, stop, on, limitMs = LIMIT_MS } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'bin/nix-infra'), ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
    const said = { stdout: '', stderr: '' };
    let stopped = false;
    let acting: Promise<void> | undefined;
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        said[stream] += text;
        if (on && !acting && on.pattern.test(said[stream])) {
          acting = on.act();
          acting.catch(() => child.kill('SIGKILL'));
        }
        if (!stop || stopped || !stop.pattern.test(said[stream])) return;
        stopped = true;
        child.kill(stop.signal);
      });
    }
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const outcome = { code, signal, output: said.stdout + said.stderr };
      if (on && !acting) return reject(new Error(`${on.pattern} was never said:\n${outcome.output}`));
      Promise.resolve(acting).then(() => resolve(outcome), reject);
    });
  });
}

/** The codes of the problems that the output tells, in order: a person must meet exactly one. */
export function problemCodes(output: string): string[] {
  return [...output.matchAll(/^ERROR: .*\[([a-z.-]+)\]$/gm)].map((match) => match[1] ?? '');
}
