/** Runs one health check. Never throws: every way to fail is an answer. */
import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { connect } from 'node:net';
import type { HealthCheck } from './declaration.js';

export interface CheckResult {
  ok: boolean;
  detail: string;
}

function tcp({ host, port, timeoutMs }: HealthCheck): Promise<CheckResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const end = (ok: boolean, detail: string) => {
      socket.destroy();
      resolve({ ok, detail });
    };
    socket.once('connect', () => end(true, ''));
    socket.once('timeout', () => end(false, `no connection to ${host}:${port} in ${timeoutMs} ms`));
    socket.once('error', (error) => end(false, error.message));
  });
}

function http({ host, port, path, timeoutMs }: HealthCheck): Promise<CheckResult> {
  return new Promise((resolve) => {
    // No agent: a kept connection would keep a backend looking alive that takes no new ones.
    const asked = request(
      { host, port, path, agent: false, signal: AbortSignal.timeout(timeoutMs) },
      (answer) => {
        const code = answer.statusCode ?? 0;
        answer.destroy();
        const ok = code >= 200 && code < 400;
        resolve({ ok, detail: ok ? '' : `http ${code} from ${path}` });
      },
    );
    asked.once('error', (error) => {
      resolve({
        ok: false,
        detail:
          error.name === 'AbortError' || error.name === 'TimeoutError'
            ? `no answer in ${timeoutMs} ms`
            : error.message,
      });
    });
    asked.end();
  });
}

function exec({ command, timeoutMs }: HealthCheck): Promise<CheckResult> {
  const [program = '', ...args] = command;
  return new Promise((resolve) => {
    execFile(program, args, { timeout: timeoutMs, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      const words = `${stderr}${stdout}`.trim().split('\n').at(-1) ?? '';
      resolve({ ok: !error, detail: error ? words || error.message : '' });
    });
  });
}

export function runCheck(check: HealthCheck): Promise<CheckResult> {
  switch (check.kind) {
    case 'tcp':
      return tcp(check);
    case 'http':
      return http(check);
    case 'exec':
      return exec(check);
    case 'none':
      return Promise.resolve({ ok: true, detail: '' });
  }
}
