/** Processes of the host, told apart from later ones with the same number by their start time. */
import { readdirSync, readFileSync } from 'node:fs';
import { labDefaults } from '../defaults.js';
import { until } from '../wait.js';

/** One process and no other: a pid alone may be used again. */
export interface ProcessStamp {
  pid: number;
  /** Start time in clock ticks since boot, field 22 of /proc/PID/stat. */
  started: number;
}

/** The stamp of a process, or undefined when there is none or only its zombie. */
export function processStamp(pid: number): ProcessStamp | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The name in the second field may hold blanks and brackets, so count from the last bracket.
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' || state === 'X' ? undefined : { pid, started: Number(fields[18]) };
}

/** Whether exactly this process still runs. */
export function isRunning(stamp: ProcessStamp): boolean {
  return processStamp(stamp.pid)?.started === stamp.started;
}

/** Sends a signal to exactly this process; one that is gone is fine. */
export function signal(stamp: ProcessStamp, name: NodeJS.Signals | number): void {
  if (!isRunning(stamp)) return;
  try {
    process.kill(stamp.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Kills and waits; false when the process is still there after `labDefaults.killMs`. */
export async function kill(stamp: ProcessStamp): Promise<boolean> {
  signal(stamp, 'SIGKILL');
  return (await until(() => !isRunning(stamp), labDefaults.killMs)) ?? false;
}

/** Direct children of all threads of a process. */
export function childrenOf(pid: number): number[] {
  return threads(pid).flatMap((thread) =>
    (read(`/proc/${pid}/task/${thread}/children`) ?? '')
      .split(' ')
      .filter((text) => text.trim() !== '')
      .map(Number),
  );
}

/** The init of the machine below a supervisor: the descendant that is pid 1 of a pid namespace inside the supervisor's. */
export function initBelow(supervisor: number): ProcessStamp | undefined {
  const level = namespacePids(supervisor).length;
  const queue = childrenOf(supervisor);
  for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
    const ids = namespacePids(pid);
    if (ids.length > level) {
      if (ids.at(-1) === 1) return processStamp(pid);
    } else queue.push(...childrenOf(pid));
  }
  return undefined;
}

/** A process's pid in each pid namespace, from the host's inwards. */
function namespacePids(pid: number): number[] {
  const line = /^NSpid:\t(.*)$/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1];
  return line === undefined ? [] : line.split('\t').map(Number);
}

function threads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
