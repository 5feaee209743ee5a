/** Asking systemd. */
import type { UnitWatcher } from '../apply/activator.js';
import { lines, run } from './run.js';

/** Reads the blocks of `systemctl show -p Id -p ActiveState a b`. */
export function parseShow(text: string): Map<string, string> {
  const states = new Map<string, string>();
  for (const block of text.split('\n\n')) {
    const id = /^Id=(.*)$/m.exec(block)?.[1];
    const state = /^ActiveState=(.*)$/m.exec(block)?.[1];
    if (id && state) states.set(id, state);
  }
  return states;
}

export async function failedUnits(): Promise<string[]> {
  const { stdout } = await run('systemctl', [
    'list-units',
    '--failed',
    '--plain',
    '--no-legend',
    '--no-pager',
  ]);
  return lines(stdout).map((line) => line.trim().split(/\s+/)[0] as string);
}

export async function explainUnit(unit: string): Promise<string[]> {
  const status = await run('systemctl', ['status', '--no-pager', '--lines=0', unit]);
  const journal = await run('journalctl', ['--no-pager', '--output=cat', '--lines=20', '--unit', unit]);
  return [...lines(status.stdout).slice(0, 6), ...lines(journal.stdout)];
}

export const systemdUnits: UnitWatcher = {
  activeStates: async (units) => {
    const { code, stdout, stderr } = await run('systemctl', [
      'show',
      '--property=Id,ActiveState',
      '--',
      ...new Set(units),
    ]);
    if (code !== 0) throw new Error(`systemctl show: ${stderr.trim()}`);
    return parseShow(stdout);
  },
};
