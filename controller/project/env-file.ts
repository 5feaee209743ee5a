/** Which .env is read, and what stands above what: option > file > process environment. */
import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { parseDotenv } from './dotenv.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface LoadedEnv {
  env: Environment;
  /** The file that was read; undefined when there was none. */
  file: string | undefined;
  /** For stderr: a file that was asked for and is not there. */
  warning: string | undefined;
}

/**
 * The file of `--env=P`: an absolute P as it is; else `<workdir>/P`; else `<cwd>/P` (wrappers use all three forms).
 * Undefined when it does not exist.
 */
export function findEnvFile(workdir: string, option: string | undefined, cwd: string): string | undefined {
  const path = option ?? '.env';
  const candidates = isAbsolute(path)
    ? [path]
    : [join(workdir, path), ...(option === undefined ? [] : [resolve(cwd, path)])];
  return candidates.find((candidate) => existsSync(candidate));
}

/** The environment of a command. A value in the file stands above the process, also when it is empty. */
export function loadEnv(
  workdir: string,
  option: string | undefined,
  process: Environment,
  cwd: string,
): LoadedEnv {
  const file = findEnvFile(workdir, option, cwd);
  if (file === undefined) {
    const warning =
      option === undefined ? undefined : `WARNING: there is no ${option}; only the environment is used`;
    return { env: process, file, warning };
  }
  return {
    env: { ...process, ...parseDotenv(readFileSync(file, 'utf8'), process) },
    file,
    warning: undefined,
  };
}
