/**
 * A command in a transient systemd unit: it goes on when the agent is stopped or replaced, which a switch does to the agent. Its exit
 * code and output are files, so that the agent that comes after can read them.
 */
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import { lines, run } from './run.js';
import { isActive } from './systemd.js';

export interface Ended {
  exit: number;
  log: string[];
}

// The exit code appears in one piece (mv) and after the output is on disk.
const script =
  '"$@" >"$NIX_INFRA_OUT.log" 2>&1; echo $? >"$NIX_INFRA_OUT.part"; sync "$NIX_INFRA_OUT.log"; mv "$NIX_INFRA_OUT.part" "$NIX_INFRA_OUT.exit"';

/** Where commands are found: what our own unit was given, then what NixOS and a plain Nix installation have. */
export function commandPath(): string {
  const nix = ['/run/wrappers/bin', '/run/current-system/sw/bin', '/nix/var/nix/profiles/default/bin'];
  return [process.env.PATH, ...nix].filter(Boolean).join(':');
}

export class TransientUnit {
  readonly #out: string;
  #goneSince: number | undefined;

  constructor(
    /** Unit name without `.service`; one run at a time. */
    private readonly name: string,
    private readonly dir: string,
    private readonly clock: Clock,
  ) {
    this.#out = join(dir, name);
  }

  /** Starts the command; throws with systemd's words when that fails. A former run of the unit that still goes is stopped. */
  async start(command: readonly string[], output: 'file' | 'journal' = 'file'): Promise<void> {
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    await this.stop();
    await this.forget();
    const environment = {
      PATH: commandPath(),
      HOME: '/root',
      NIX_INFRA_OUT: this.#out,
      NIX_PATH: process.env.NIX_PATH,
    };
    const settings = Object.entries(environment).flatMap(([key, value]) =>
      value ? [`--setenv=${key}=${value}`] : [],
    );
    const options = [
      `--unit=${this.name}`,
      '--collect',
      '--quiet',
      '--service-type=exec',
      `--working-directory=${this.dir}`,
    ];
    const started = await run('systemd-run', [
      ...options,
      ...settings,
      '--',
      // What keeps its own records needs no shell around it.
      ...(output === 'file' ? ['/bin/sh', '-c', script, 'sh'] : []),
      ...command,
    ]);
    if (started.code !== 0) throw new Error(`systemd-run ${this.name}: ${started.stderr.trim()}`);
  }

  /** Returns when nothing of the unit runs any more: whether something did. */
  async stop(): Promise<boolean> {
    const ran = await this.runs();
    await run('systemctl', ['stop', `${this.name}.service`], undefined, defaults.unitStopMs);
    return ran;
  }

  /** Removes what a former run left. */
  async forget(): Promise<void> {
    this.#goneSince = undefined;
    await rm(`${this.#out}.exit`, { force: true });
    await rm(`${this.#out}.log`, { force: true });
  }

  /** Whether a run has begun since the last was forgotten: its output is there from its first moment on. */
  began(): Promise<boolean> {
    const there = (name: string) =>
      stat(name).then(
        () => true,
        () => false,
      );
    return Promise.all([there(`${this.#out}.log`), there(`${this.#out}.exit`)]).then((any) =>
      any.includes(true),
    );
  }

  runs(): Promise<boolean> {
    return isActive(`${this.name}.service`);
  }

  /** The end of the run as of now: undefined while it runs, `cut` when the unit is gone without one. */
  async end(): Promise<Ended | 'cut' | undefined> {
    const read = () => readFile(`${this.#out}.exit`, 'utf8').catch(() => undefined);
    let exit = await read();
    if (exit === undefined) {
      if (await this.runs()) {
        this.#goneSince = undefined;
        return undefined;
      }
      // Between the end of the unit and what we read before there is a moment with neither.
      exit = await read();
    }
    if (exit !== undefined) return { exit: Number.parseInt(exit, 10), log: lines(await this.#log()) };
    const now = this.clock.monotonic();
    this.#goneSince ??= now;
    return now - this.#goneSince > defaults.unitGoneMs ? 'cut' : undefined;
  }

  /** Waits for the end; undefined when the unit was cut off without one, by the signal for example. Throws after the limit. */
  async ended(limitMs: number, signal?: AbortSignal): Promise<Ended | undefined> {
    const deadline = this.clock.monotonic() + limitMs;
    for (;;) {
      if (signal?.aborted) {
        await this.stop();
        return undefined;
      }
      const end = await this.end();
      if (end) return end === 'cut' ? undefined : end;
      if (this.clock.monotonic() > deadline)
        throw new Error(`${this.name} did not end in ${limitMs / 1000} s`);
      await this.clock.sleep(defaults.unitPollMs);
    }
  }

  async #log(): Promise<string> {
    return readFile(`${this.#out}.log`, 'utf8').catch(() => '');
  }
}
