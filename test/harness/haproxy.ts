/** A real haproxy in master-worker mode, run and reloaded as the haproxy unit does it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from '../../agent/mesh/ask.js';
import { until } from './until.js';

export interface Haproxy {
  socketPath: string;
  /** Puts a configuration in service, as confd does; resolves when the new worker answers. */
  reload(config: string): Promise<void>;
  /** What the worker that answers prints for a command of the admin socket. */
  admin(command: string): Promise<string>;
  log(): string;
  stop(): Promise<void>;
}

/** Starts haproxy in the folder; `config` gets the path of the admin socket. */
export async function startHaproxy(dir: string, config: string): Promise<Haproxy> {
  const file = join(dir, 'haproxy.cfg');
  const socketPath = join(dir, 'haproxy.sock');
  const put = (text: string) => writeFileSync(file, text.replaceAll('/run/haproxy/haproxy.sock', socketPath));
  put(config);
  const out = openSync(join(dir, 'haproxy.log'), 'a');
  const master: ChildProcess = spawn('haproxy', ['-Ws', '-f', file], { stdio: ['ignore', out, out] });
  const admin = (command: string) => ask(socketPath, `${command}\n`, 2_000, 1 << 20);
  const worker = async () => {
    const info = await admin('show info');
    return /^Stopping: 0$/m.test(info) ? /^Pid: (\d+)$/m.exec(info)?.[1] : undefined;
  };
  await until('haproxy answers', 10_000, worker);
  return {
    socketPath,
    admin,
    reload: async (text) => {
      put(text);
      execFileSync('haproxy', ['-c', '-f', file], { stdio: 'pipe' });
      const before = await worker();
      master.kill('SIGUSR2');
      await until('the new worker answers', 10_000, async () => {
        const now = await worker();
        return now !== undefined && now !== before;
      });
    },
    log: () => readFileSync(join(dir, 'haproxy.log'), 'utf8'),
    stop: async () => {
      if (master.exitCode !== null || master.signalCode !== null) return;
      const exited = once(master, 'exit');
      master.kill('SIGTERM');
      await exited;
    },
  };
}
