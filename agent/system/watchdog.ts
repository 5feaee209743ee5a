/**
 * Brings a node back when nobody confirms its new system in time. A shell script in a transient unit of its own: it needs no agent, no
 * network and no Node.js, and it is written out before the activation, so that it does not depend on the system that is being activated.
 *
 * Who first creates the verdict (a symbolic link, which either comes to be or is there already) decides: the agent with `confirmed` or
 * `restore`, the watchdog with `restore` when the time is over. Only the watchdog restores.
 */
import { mkdir, open, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { lines } from './run.js';
import { swapFunction } from './swap.js';

export type Verdict = 'confirmed' | 'restore';

/** One activation that is watched. */
export interface Watch {
  /** Names the verdict; another activation has another one. One whose way back has to be gone anew adds a word after a dot. */
  nonce: string;
  configDir: string;
  revision: string;
  previousSystem: string;
  /** From now to the way back. */
  confirmMs: number;
}

export const switchUnit = 'nix-infra-switch';

/**
 * First words of the activation's own unit. The watchdog gives its verdict before it stops that unit: so an activation that begins late
 * either sees the verdict, or is there to be stopped.
 */
const guard = `[ -L "$1" ] && echo "not begun: the watchdog has decided" && exit 75
shift
exec "$@"`;

/** Arguments: folder, nonce, /etc/nixos, its new revision, previous system, seconds. */
export const watchdogScript = `#!/bin/sh
# Written by nix-infra-agent. Goes back to the previous system unless the agent says "confirmed" in time.
folder=$1 nonce=$2 config=$3 new=$4 previous=$5 seconds=$6
verdict=$folder/verdict.$nonce
log=$folder/watchdog.log

say() {
  echo "watchdog: $*"
  echo "watchdog: $*" 2>/dev/null >>"$log"
}
now() { read -r up rest </proc/uptime && echo "\${up%%.*}"; }
given() { readlink "$verdict" 2>/dev/null; }
${swapFunction}
# Nothing here may end the shell: no redirection of a special built-in (\`:\`, \`exec\`), which ends it when the file cannot be opened.
rm -f "$log"
say "armed: back to $previous in $seconds s"
deadline=$(($(now) + seconds))
while [ -z "$(given)" ] && [ "$(now)" -lt "$deadline" ]; do sleep 0.3; done
# Of two that create it at the same time one fails, and both then read who won.
ln -s -T restore "$verdict" 2>/dev/null
case "$(given)" in
  confirmed) say "confirmed"; exit 0 ;;
  restore) ;;
  # A full or read-only disk takes no verdict: then nobody could confirm either.
  *) say "no verdict can be written" ;;
esac

say "going back to $previous"
systemctl stop ${switchUnit}.service
swap back "$config" "$new" || say "$config is not what it was"
attempt=1
while :; do
  # A command whose output cannot be opened is not run at all: then its words are lost, not the node.
  out=$folder/restore.log
  echo "going back to $previous" 2>/dev/null >"$out" || out=/dev/null
  "$previous/bin/switch-to-configuration" test >>"$out" 2>&1
  code=$?
  cat "$out"
  [ "$(readlink -f "\${NIX_INFRA_CURRENT:-/run/current-system}")" = "$previous" ] && break
  [ "$attempt" -ge 5 ] && break
  say "attempt $attempt ended with $code"
  attempt=$((attempt + 1))
  sleep 2
done
say "ended with exit code $code"
echo "$code" 2>/dev/null >"$folder/restored.$nonce.part" && mv "$folder/restored.$nonce.part" "$folder/restored.$nonce"
# The old system's agent may have been stopped by the new system, or never started by the way back.
systemctl start --no-block nix-infra-agent.service
exit 0
`;

/** The files of the watchdog in the agent's state folder. */
export class WatchdogFiles {
  readonly script: string;

  constructor(private readonly dir: string) {
    this.script = join(dir, 'watchdog.sh');
  }

  /** Writes the script, synced, and forgets the verdicts of former activations but not this one's, whichever way back it is on. */
  async prepare(nonce: string): Promise<void> {
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    const [attempt = nonce] = nonce.split('.');
    for (const name of await readdir(this.dir))
      if (/^(verdict|restored)\./.test(name) && !name.includes(attempt)) await rm(join(this.dir, name));
    const part = `${this.script}.part`;
    const file = await open(part, 'w', 0o700);
    try {
      await file.writeFile(watchdogScript);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, this.script);
  }

  command({ nonce, configDir, revision, previousSystem, confirmMs }: Watch): string[] {
    const seconds = String(Math.ceil(confirmMs / 1000));
    return ['/bin/sh', this.script, this.dir, nonce, configDir, revision, previousSystem, seconds];
  }

  /** The command, unless the verdict on this attempt has been given by the time it runs. */
  guarded(nonce: string, command: readonly string[]): string[] {
    return ['/bin/sh', '-c', guard, 'sh', this.#verdictOf(nonce), ...command];
  }

  #verdictOf(nonce: string): string {
    return join(this.dir, `verdict.${nonce}`);
  }

  async verdict(nonce: string): Promise<Verdict | undefined> {
    const given = await readlink(this.#verdictOf(nonce)).catch(() => undefined);
    return given === 'confirmed' || given === 'restore' ? given : undefined;
  }

  /** Tries to be first; the answer is the verdict that stands. Throws when none can be written. */
  async claim(nonce: string, wanted: Verdict): Promise<Verdict> {
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    const error = await symlink(wanted, this.#verdictOf(nonce)).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const stands = await this.verdict(nonce);
    if (!stands) throw error;
    return stands;
  }

  /** Exit code and words of the way back; undefined while it has not ended. */
  async restored(nonce: string): Promise<{ exit: number; log: string[] } | undefined> {
    const code = await readFile(join(this.dir, `restored.${nonce}`), 'utf8').catch(() => undefined);
    if (code === undefined) return undefined;
    const log = await readFile(join(this.dir, 'restore.log'), 'utf8').catch(() => '');
    return { exit: Number.parseInt(code, 10), log: lines(log) };
  }
}
