/** switch-to-configuration: makes the system at $TOPLEVEL the running one. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { finish, readUnfinished, takeActivationList, writeUnfinished } from '#switch/lists';
import { planSwitch, type SwitchPlan, worthTelling } from '#switch/plan';
import { activeUnits, failedUnits, listUnits, ran, systemctl } from '#switch/systemd';
import { toplevelUnits } from '#switch/toplevel';

const actions = ['switch', 'boot', 'test', 'dry-activate', 'check'] as const;
type SwitchAction = (typeof actions)[number];

/** As NixOS's own; the highest that applies wins. */
const exit = { ok: 0, refused: 1, activationFailed: 2, reloadFailed: 3, unitsFailed: 4 } as const;

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

function tellUnits(line: string, units: readonly string[]): void {
  const shown = worthTelling(units);
  if (shown.length > 0) tell(`${line}: ${shown.join(', ')}`);
}

function refuse(message: string): never {
  tell(message);
  process.exit(exit.refused);
}

function parseAction(argument: string | undefined): SwitchAction {
  const action = actions.find((name) => name === argument);
  return action ?? refuse(`Usage: switch-to-configuration [${actions.join('|')}]`);
}

function dryRun(toplevel: string, plan: SwitchPlan): number {
  tellUnits('would stop the following units', plan.stop);
  tellUnits('would NOT stop the following changed units', plan.skip);
  tell('would activate the configuration...');
  activate(toplevel, 'dry-activate');
  tellUnits('would reload the following units', [...plan.reload, ...takeActivationList('reload', true)]);
  tellUnits('would restart the following units', [...plan.restart, ...takeActivationList('restart', true)]);
  tellUnits('would start the following units', plan.start);
  return exit.ok;
}

function activate(toplevel: string, action: SwitchAction): boolean {
  const script = `${toplevel}/${action === 'dry-activate' ? 'dry-activate' : 'activate'}`;
  const env = { ...process.env, NIXOS_ACTION: action };
  return spawnSync(script, [toplevel], { stdio: ['ignore', 'inherit', 'inherit'], env }).status === 0;
}

function realRun(toplevel: string, action: SwitchAction, plan: SwitchPlan): number {
  let result: number = exit.ok;
  const worse = (code: number): void => {
    result = Math.max(result, code);
  };
  const before = new Set(activeUnits(listUnits()));

  writeUnfinished(plan);
  tellUnits('stopping the following units', plan.stop);
  systemctl('stop', plan.stop);
  tellUnits('NOT restarting the following changed units', plan.skip);

  tell('activating the configuration...');
  if (!activate(toplevel, action)) worse(exit.activationFailed);
  const restart = [...new Set([...plan.restart, ...takeActivationList('restart', false)])];
  const reload = [...plan.reload, ...takeActivationList('reload', false)].filter(
    (unit) => !restart.includes(unit),
  );

  // What failed before this switch is no failure of this switch.
  ran('systemctl', 'reset-failed');
  if (!ran('systemctl', 'daemon-reload')) worse(exit.reloadFailed);
  tell('setting up tmpfiles');
  if (!ran('systemd-tmpfiles', '--create', '--remove', '--exclude-prefix=/dev')) worse(exit.reloadFailed);

  // A unit that ended meanwhile has nothing to reload; its targets start it again below.
  const running = new Set(activeUnits(listUnits()));
  const reloadable = reload.filter((unit) => running.has(unit));
  tellUnits('reloading the following units', reloadable);
  if (!systemctl('reload', reloadable)) worse(exit.unitsFailed);
  finish('reload');
  tellUnits('restarting the following units', restart);
  if (!systemctl('restart', restart)) worse(exit.unitsFailed);
  finish('restart');
  tellUnits('starting the following units', plan.start);
  if (!systemctl('start', plan.start)) worse(exit.unitsFailed);
  finish('start');

  const after = listUnits();
  const known = new Set([...before, ...plan.start, ...restart]);
  const started = activeUnits(after).filter(
    (unit) => !known.has(unit) && /\.(service|timer|socket|path)$/.test(unit),
  );
  tellUnits('the following new units were started', started.toSorted());
  const failed = failedUnits(after);
  if (failed.length > 0) {
    tell(`warning: the following units failed: ${failed.join(', ')}`);
    ran('systemctl', 'status', '--no-pager', '--full', '--', ...failed);
    worse(exit.unitsFailed);
  }
  return result;
}

function main(argument: string | undefined): number {
  const action = parseAction(argument);
  const { TOPLEVEL: toplevel } = process.env;
  if (!toplevel || !existsSync(`${toplevel}/activate`)) refuse('TOPLEVEL is no built system');
  const distribution = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  if (!existsSync('/etc/NIXOS') && !/^ID="?nixos"?$/m.test(distribution))
    refuse('This is not a NixOS installation!');
  if (process.getuid?.() !== 0) refuse('Must be run as root!');
  // There is no boot loader: what boots is what the profile points at.
  if (action === 'boot' || action === 'check') return exit.ok;

  const current = existsSync('/run/current-system') ? realpathSync('/run/current-system') : '/nonexistent';
  const plan = planSwitch({
    active: activeUnits(listUnits()),
    before: toplevelUnits(current),
    after: toplevelUnits(toplevel),
    unfinished: readUnfinished(),
  });
  return action === 'dry-activate' ? dryRun(toplevel, plan) : realRun(toplevel, action, plan);
}

process.exit(main(process.argv[2]));
