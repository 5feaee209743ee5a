/** The process around the lab API: options from a file, a pid file, one line when ready, SIGTERM to end. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { Problem } from '../../shared/errors.js';
import type { MachineDriver } from '../machines/driver.js';
import { startLabApi } from './lab-api.js';
import type { Network } from './network.js';

const optionsShape = z.strictObject({
  /** Which machine driver to use, and its own settings, checked by the driver. */
  driver: z.looseObject({ kind: z.string() }),
  /** JSON file that holds the API's state. */
  stateFile: z.string().min(1),
  /** Holds the process id while the daemon runs. */
  pidFile: z.string().min(1),
  host: z.string().default('127.0.0.1'),
  /** 0 takes a free port; the ready line says which. */
  port: z.int().min(0).max(65_535),
  /** Default: the one in the state file, else a new one. */
  token: z.string().optional(),
  profile: z.enum(['compat', 'strict-2026-10']).default('compat'),
  network: z
    .strictObject({ cidr: z.string(), firstHost: z.int() })
    .default({ cidr: '10.77.0.0/24', firstHost: 11 }),
  serverLimit: z.int().min(0).optional(),
});

export type DaemonOptions = z.infer<typeof optionsShape>;

/** Makes a driver of the `driver` key of the options, for the network the API takes its addresses from. */
export type DriverFactory = (settings: Record<string, unknown>, network: Network) => MachineDriver;

/** What a starter waits for on stdout, as one line of JSON. */
export interface ReadyLine {
  ready: true;
  url: string;
  token: string;
  pid: number;
}

/** Reads the options file; throws `lab.failed` with the key that is wrong. */
export function readDaemonOptions(file: string): DaemonOptions {
  try {
    return optionsShape.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw new Problem('lab.failed', 'The options of the lab API cannot be read', {
      where: file,
      reason: error instanceof z.ZodError ? z.prettifyError(error) : String(error),
      cause: error,
    });
  }
}

/** Runs until SIGTERM or SIGINT. Machines stay as they are; a later daemon on the same state file takes them over. */
export async function runDaemon(
  optionsFile: string,
  drivers: Readonly<Record<string, DriverFactory>>,
): Promise<void> {
  const { driver: settings, pidFile, token, serverLimit, ...rest } = readDaemonOptions(optionsFile);
  const makeDriver = drivers[settings.kind];
  if (!makeDriver) {
    throw new Problem('lab.failed', `There is no machine driver "${settings.kind}"`, {
      where: optionsFile,
      next: `use one of: ${Object.keys(drivers).join(', ')}`,
    });
  }
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  const api = await startLabApi({
    driver: makeDriver(settings, rest.network),
    onFailure: (what, error) =>
      process.stderr.write(`${new Date().toISOString()} ${what}: ${String(error)}\n`),
    ...rest,
    ...(token === undefined ? {} : { token }),
    ...(serverLimit === undefined ? {} : { serverLimit }),
  });
  mkdirSync(dirname(pidFile), { recursive: true });
  writeFileSync(pidFile, `${process.pid}\n`);
  try {
    const ready: ReadyLine = { ready: true, url: api.url, token: api.token, pid: process.pid };
    process.stdout.write(`${JSON.stringify(ready)}\n`);
    await ended;
    await api.close();
  } finally {
    rmSync(pidFile, { force: true });
  }
}
