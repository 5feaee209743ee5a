/** Asking systemd. */
import type { UnitWatcher } from '../apply/activator.js';
import type { UnitState } from '../apply/proof.js';
import { lines, run } from './run.js';
import { systemdSocket, unitSignals } from './unit-signals.js';

/** Reads the blocks of `systemctl show`, each a set of properties, by `Id`. */
export function parseBlocks(text: string): Map<string, Map<string, string>> {
  const units = new Map<string, Map<string, string>>();
  for (const block of text.split('\n\n')) {
    const properties = new Map<string, string>();
    for (const line of block.split('\n')) {
      const at = line.indexOf('=');
      if (at > 0) properties.set(line.slice(0, at), line.slice(at + 1));
    }
    const id = properties.get('Id');
    if (id) units.set(id, properties);
  }
  return units;
}

/** Reads the blocks of `systemctl show -p Id -p ActiveState a b`. */
export function parseShow(text: string): Map<string, string> {
  const states = new Map<string, string>();
  for (const [id, properties] of parseBlocks(text)) {
    const state = properties.get('ActiveState');
    if (state) states.set(id, state);
  }
  return states;
}

const stateProperties = 'Id,ActiveState,SubState,Result,Type,NRestarts,ConditionResult,TriggeredBy,LoadState';

export function parseUnitStates(text: string): Map<string, UnitState> {
  const states = new Map<string, UnitState>();
  for (const [id, properties] of parseBlocks(text)) {
    const get = (name: string) => properties.get(name) ?? '';
    if (get('LoadState') === 'not-found') continue;
    states.set(id, {
      active: get('ActiveState'),
      sub: get('SubState'),
      // Units other than services may have none.
      result: get('Result') || 'success',
      type: get('Type'),
      restarts: Number(get('NRestarts')) || 0,
      condition: get('ConditionResult') !== 'no',
      triggered: get('TriggeredBy') !== '',
    });
  }
  return states;
}

async function show(properties: string, units: readonly string[]): Promise<string> {
  if (units.length === 0) return '';
  const args = ['show', `--property=${properties}`, '--', ...new Set(units)];
  const { code, stdout, stderr } = await run('systemctl', args);
  if (code !== 0) throw new Error(`systemctl show: ${stderr.trim()}`);
  return stdout;
}

export async function unitStates(units: readonly string[]): Promise<Map<string, UnitState>> {
  return parseUnitStates(await show(stateProperties, units));
}

export async function isActive(unit: string): Promise<boolean> {
  const { stdout } = await run('systemctl', ['is-active', unit]);
  return ['active', 'activating', 'deactivating', 'reloading'].includes(stdout.trim());
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

/** Restarts a unit and waits until it runs. */
export async function restartUnit(unit: string): Promise<void> {
  const { code, stderr } = await run('systemctl', ['restart', '--', unit]);
  if (code !== 0) throw new Error(`systemctl restart ${unit}: ${stderr.trim()}`);
}

export async function explainUnit(unit: string): Promise<string[]> {
  const status = await run('systemctl', ['status', '--no-pager', '--lines=0', unit]);
  const journal = await run('journalctl', ['--no-pager', '--output=cat', '--lines=20', '--unit', unit]);
  return [...lines(status.stdout).slice(0, 6), ...lines(journal.stdout)];
}

export const systemdUnits: UnitWatcher = {
  activeStates: async (units) => parseShow(await show('Id,ActiveState', units)),
  follow: (onChange) => unitSignals(systemdSocket, onChange),
};
