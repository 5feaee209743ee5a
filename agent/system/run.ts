/** Runs a short helper command to its end. */
import { execFile } from 'node:child_process';
import { agentDefaults as defaults } from '../defaults.js';

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Never rejects; a command that cannot be started or takes too long has the code 127. */
export function run(
  program: string,
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
  timeoutMs: number = defaults.commandMs,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const options = { timeout: timeoutMs, maxBuffer: 4 << 20, ...(env && { env }) };
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : 127) : 0;
      resolve({ code, stdout, stderr: stderr || (error?.message ?? '') });
    });
    // ssh would wait for more of it.
    child.stdin?.end();
  });
}

export function lines(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}
