/** Starts the script that holds one machine (supervisor.sh) and wires the machine to the switch in between. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { Problem } from '../../shared/errors.js';
import { labDefaults } from '../defaults.js';
import { repoRoot } from '../repo-root.js';
import { childrenOf, kill, processStamp } from './process.js';
import type { RunRecord } from './state-dir.js';

export interface Launch {
  /** Folder of the machine. */
  dir: string;
  /** Host name. */
  name: string;
  layers: readonly string[];
  cgroups: { supervisor: readonly string[]; machine: readonly string[] };
  /** File that the console goes to. */
  console: string;
}

/**
 * Launches the supervisor, calls `wire` with it while the machine waits, then lets the machine boot.
 * It outlives this process; when `wire` fails it is ended again.
 */
export async function launch(what: Launch, wire: (run: RunRecord) => Promise<void>): Promise<void> {
  const console = openSync(what.console, 'a');
  const child = spawn(
    'bash',
    [
      join(repoRoot(), 'lab/machines/supervisor.sh'),
      'launch',
      what.dir,
      what.name,
      ...[what.layers, what.cgroups.supervisor, what.cgroups.machine].map((list) => list.join(':')),
    ],
    // A session of its own: no signal for the caller's terminal reaches it.
    { detached: true, stdio: ['pipe', console, console, 'pipe'], cwd: '/' },
  );
  closeSync(console);
  const input = child.stdin as Writable;
  const ready = child.stdio[3] as Readable;
  input.on('error', () => undefined);
  try {
    await firstLine(ready, what.console);
    const launcher = child.pid === undefined ? undefined : processStamp(child.pid);
    const [pid] = launcher ? childrenOf(launcher.pid) : [];
    const supervisor = pid === undefined ? undefined : processStamp(pid);
    if (!launcher || !supervisor) throw failed('ended at once', what.console);
    await wire({ launcher, supervisor }).catch(async (error: unknown) => {
      await kill(supervisor);
      throw error;
    });
    input.write('go\n');
  } finally {
    input.end();
    ready.destroy();
    child.unref();
  }
}

/** Resolves when the supervisor is in its namespaces. */
function firstLine(ready: Readable, console: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(failed('does not get ready', console)), labDefaults.bootMs);
    const settle = (error?: Problem) => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve();
    };
    ready.once('data', () => settle());
    ready.once('close', () => settle(failed('ended before it was ready', console)));
    ready.once('error', () => undefined);
  });
}

function failed(what: string, console: string): Problem {
  return new Problem('lab.failed', `The supervisor of a machine ${what}`, { where: console });
}
