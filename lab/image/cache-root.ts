import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where everything slow to make is kept: `$XDG_CACHE_HOME/nix-infra`, or the same below `~/.cache`. */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'nix-infra');
}
