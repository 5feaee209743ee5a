/**
 * Exchanges /etc/nixos with the folder beside it, in one rename where the machine's `mv` can. Each folder that the agent staged carries its
 * revision, and both ways ask "which one is there?" before they move anything: so doing it again, after a cut at any point or beside the
 * watchdog, never swaps twice.
 */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './run.js';

/** File in a staged folder that holds its revision. It is there while the folder is built, so that it changes nothing later. */
export const revisionMarker = '.nix-infra-revision';

/** Where the folder to come waits, and where the former one is afterwards. */
export const besideOf = (configDir: string): string => `${configDir}.staged`;

/** The revision that a folder was staged as; empty for one that somebody else wrote. */
export function stagedRevision(folder: string): Promise<string> {
  return readFile(join(folder, revisionMarker), 'utf8').then(
    (text) => text.trim(),
    () => '',
  );
}

/** A shell function that both the agent and the watchdog use: `swap forward|back DIR REVISION`. */
export const swapFunction = `
# Where mv cannot exchange, it takes two renames and a third: what was cut off between them is ended first.
swap() {
  way=$1 dir=$2 revision=$3 beside=$2.staged moving=$2.moving
  if [ -d "$moving" ] && [ ! -e "$beside" ]; then mv -T "$moving" "$beside" || return 1; fi
  swap_right "$dir" && return 0
  if [ ! -e "$dir" ]; then
    if swap_right "$moving"; then mv -T "$moving" "$dir"; return; fi
    swap_right "$beside" || return 1
    mv -T "$beside" "$dir" || return 1
    if [ -d "$moving" ]; then mv -T "$moving" "$beside"; fi
    return
  fi
  swap_right "$beside" || return 1
  if mv --exchange -T --no-copy "$beside" "$dir" 2>/dev/null; then return 0; fi
  mv -T "$dir" "$moving" && mv -T "$beside" "$dir" && mv -T "$moving" "$beside"
}
swap_right() {
  [ -d "$1" ] || return 1
  if [ "$(cat "$1/${revisionMarker}" 2>/dev/null)" = "$revision" ]; then [ "$way" = forward ]; else [ "$way" = back ]; fi
}
`;

/**
 * `forward`: the folder is the one staged as this revision; `back`: it is the other one. Nothing happens where that is so already.
 * Throws when neither folder is the right one, or with the words of `mv`.
 */
export async function swap(way: 'forward' | 'back', configDir: string, revision: string): Promise<void> {
  const script = `${swapFunction}swap "$@"`;
  const { code, stderr } = await run('/bin/sh', ['-c', script, 'sh', way, configDir, revision]);
  if (code !== 0)
    throw new Error(`${configDir} could not be exchanged: ${stderr.trim() || 'the other folder is missing'}`);
}

/** What is in place must not look like what comes: the same revision may be ordered again after somebody changed its files. */
export async function forgetMarker(configDir: string, revision: string): Promise<void> {
  await mkdir(configDir, { recursive: true, mode: 0o755 });
  if ((await stagedRevision(configDir)) === revision) await rm(join(configDir, revisionMarker));
}
