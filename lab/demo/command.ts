/** Runs the product's own command, as an operator would: the demo has no other way into the product. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Problem } from '../../shared/errors.js';

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
  /** Wall time in milliseconds. */
  ms: number;
}

/** Runs `nix-infra ARGS` in the project; throws when it fails. Output lines go to `onLine` as they come. */
export type Command = (args: readonly string[], onLine?: (line: string) => void) => Promise<CommandResult>;

/** Makes a runner of bin/nix-infra with these extra environment variables and working directory. */
export function commandRunner(
  root: string,
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Command {
  return (args, onLine) =>
    new Promise((resolve, reject) => {
      const started = performance.now();
      const child = spawn(process.execPath, [join(root, 'bin/nix-infra'), ...args], {
        cwd,
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const collected = { stdout: '', stderr: '' };
      for (const stream of ['stdout', 'stderr'] as const) {
        let rest = '';
        child[stream].setEncoding('utf8').on('data', (text: string) => {
          collected[stream] += text;
          const lines = (rest + text).split('\n');
          rest = lines.pop() ?? '';
          if (onLine) lines.forEach(onLine);
        });
      }
      child.on('error', reject);
      child.on('close', (code) => {
        const result = { code: code ?? 1, ...collected, ms: performance.now() - started };
        if (result.code === 0) return resolve(result);
        const log = `${collected.stdout}${collected.stderr}`.trimEnd().split('\n').slice(-30);
        reject(
          new Problem('internal', `nix-infra ${args.join(' ')} ended with ${result.code}`, {
            log,
            next: 'see the output above',
          }),
        );
      });
    });
}
