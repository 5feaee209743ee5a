/** States of a server and the commands that move it between them: the one table. */
export const serverStatuses = [
  'initializing',
  'starting',
  'running',
  'stopping',
  'off',
  'rebuilding',
  'deleting',
  'unknown',
] as const;
export type ServerStatus = (typeof serverStatuses)[number];

export interface CommandRule {
  /** Status while the command runs; null leaves it as it was. */
  during: ServerStatus | null;
  /** Status after success; null restores what the driver reports. */
  after: ServerStatus | null;
  /**
   * What a restart of the API does with the command when it was under way: `resume` where doing it twice is the
   * same as doing it once, `fail` where it is not (a second reboot is a second reboot).
   */
  onRestart: 'resume' | 'fail';
}

export const serverCommands = {
  create_server: { during: 'initializing', after: 'off', onRestart: 'resume' },
  start_server: { during: 'starting', after: 'running', onRestart: 'resume' },
  stop_server: { during: 'stopping', after: 'off', onRestart: 'resume' },
  shutdown_server: { during: 'stopping', after: 'off', onRestart: 'resume' },
  reboot_server: { during: 'running', after: 'running', onRestart: 'fail' },
  reset_server: { during: 'running', after: 'running', onRestart: 'fail' },
  rebuild_server: { during: 'rebuilding', after: 'running', onRestart: 'resume' },
  create_image: { during: null, after: null, onRestart: 'fail' },
  delete_server: { during: 'deleting', after: null, onRestart: 'resume' },
} as const satisfies Record<string, CommandRule>;

export type ServerCommand = keyof typeof serverCommands;

export function isServerCommand(command: string): command is ServerCommand {
  return command in serverCommands;
}

/** What the driver sees, in the words of the API; a machine that is gone is nobody's plan, hence `unknown`. */
export function observedStatus(machine: 'absent' | 'off' | 'running'): ServerStatus {
  return machine === 'absent' ? 'unknown' : machine;
}
