/**
 * What `nix-infra lab …` does: one lab per state folder, made of a daemon (the cloud API) and machines. Every verb can be
 * called again at any point; `labDown` leaves nothing but the image cache.
 */

import { spawn } from 'node:child_process';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Problem } from '../shared/errors.js';
import type { ReadyLine } from './api/daemon.js';
import { labDefaults } from './defaults.js';
import { ensureImages, type Images } from './image/images.js';
import { destroyAll } from './machines/destroy-all.js';
import { labNetwork } from './machines/network.js';
import { createNspawnDriver } from './machines/nspawn-driver.js';
import { preflight } from './machines/preflight.js';
import { isRunning, kill, type ProcessStamp, processStamp, signal } from './machines/process.js';
import { stateDir } from './machines/state-dir.js';
import { repoRoot } from './repo-root.js';
import { until } from './wait.js';

type Report = (line: string) => void;

/** The daemon as it was started: who it is and where it answers. */
interface Daemon extends ReadyLine {
  stamp: ProcessStamp;
  images: Images;
  cidr: string;
}

const paths = () => {
  const dir = join(stateDir().root, 'api');
  const file = (name: string) => join(dir, name);
  return {
    dir,
    options: file('options.json'),
    state: file('state.json'),
    pid: file('pid'),
    ready: file('ready.json'),
    daemon: file('daemon.json'),
    log: file('api.log'),
  };
};

/** Where `npm run demo` keeps its project. */
export const demoProject = () => join(stateDir().root, 'demo');

/** Starts the lab, building what is missing; a lab that runs with the same images is left alone. */
export async function labUp(report: Report): Promise<Daemon> {
  await preflight(report);
  const images = await ensureImages(report);
  const running = await findDaemon();
  if (running && JSON.stringify(running.images) === JSON.stringify(images)) {
    report(`the lab answers at ${running.url}`);
    return running;
  }
  // New images serve new machines; machines that exist keep the layers they were made from.
  if (running) await stopDaemon(running);
  const daemon = await startDaemon(images);
  report(`the lab answers at ${daemon.url}`);
  return daemon;
}

/** Stops the daemon and removes every machine and file of the lab. */
export async function labDown(report: Report): Promise<void> {
  const daemon = await findDaemon();
  if (daemon) await stopDaemon(daemon);
  await rm(paths().dir, { recursive: true, force: true });
  // The demo's project lives in the lab's folder, and its keys are of servers that end here.
  await rm(demoProject(), { recursive: true, force: true });
  const { machines } = await destroyAll();
  report(`the lab is down; ${machines} machines removed`);
}

/** Environment for any Hetzner client, and the two settings in which the lab differs from Hetzner (docs/decisions/0006). */
export async function labEnv(): Promise<Record<string, string>> {
  const { url, token } = await runningDaemon();
  return {
    HCLOUD_ENDPOINT: url,
    HCLOUD_TOKEN: token,
    NIX_INFRA_IMAGE: 'label:os=nixos',
    NIX_INFRA_OVERLAY_BACKEND: 'vxlan',
  };
}

export interface LabServer {
  id: string;
  name: string;
  ipv4: string;
  status: string;
}

/** Machines of the lab as the API knows them. */
export async function labServers(): Promise<LabServer[]> {
  const { servers } = (await ask('GET', '/_lab/state')) as {
    servers: { machine: string; name: string; ipv4: string; status: string }[];
  };
  return servers.map(({ machine, name, ipv4, status }) => ({ id: machine, name, ipv4, status }));
}

/** Lab-only verbs: power cut, cable out, cable back, power on. */
export const labVerbs = ['kill', 'cut', 'heal', 'start'] as const;
export type LabVerb = (typeof labVerbs)[number];

/** Does it and returns when it is done. `from` is for `cut`: only what these servers and this one say to each other is lost. */
export async function labVerb(verb: LabVerb, name: string, from: readonly string[] = []): Promise<void> {
  await ask(
    'POST',
    `/_lab/servers/${encodeURIComponent(name)}/${verb}`,
    from.length > 0 ? { from } : undefined,
  );
}

/** Runs a command inside a machine without SSH, as from its console. */
export async function labExec(name: string, argv: readonly string[]) {
  const { images, cidr } = await runningDaemon();
  const server = (await labServers()).find((one) => one.name === name);
  if (!server)
    throw new Problem('node.unknown', `There is no machine ${name} in the lab`, {
      next: 'see `nix-infra lab status`',
    });
  return createNspawnDriver({ images, network: labNetwork(cidr) }).exec(server.id, argv);
}

// Private

async function startDaemon(images: Images): Promise<Daemon> {
  const file = paths();
  await mkdir(file.dir, { recursive: true, mode: 0o700 });
  const cidr = process.env.NIX_INFRA_LAB_NETWORK || labDefaults.cidr;
  const options = {
    driver: { kind: 'nspawn', images, dir: stateDir().root },
    stateFile: file.state,
    pidFile: file.pid,
    port: await freePort(labDefaults.apiPort),
    profile: 'strict-2026-10',
    network: { cidr, firstHost: 11 },
  };
  await writeFile(file.options, JSON.stringify(options), { mode: 0o600 });
  await rm(file.ready, { force: true });
  // The daemon outlives this command, so it may not hold our terminal or pipes.
  const [ready, log] = [await open(file.ready, 'w', 0o600), await open(file.log, 'a', 0o600)];
  const child = spawn(process.execPath, [join(repoRoot(), 'dist/lab-api.js'), file.options], {
    detached: true,
    stdio: ['ignore', ready.fd, log.fd],
    cwd: '/',
  });
  child.unref();
  await Promise.all([ready.close(), log.close()]);
  const stamp = child.pid === undefined ? undefined : processStamp(child.pid);
  const line = await until(async () => {
    if (stamp && !isRunning(stamp)) return 'ended' as const;
    const text = await readFile(file.ready, 'utf8');
    return text.includes('\n') ? (JSON.parse(text) as ReadyLine) : undefined;
  }, labDefaults.apiStartMs);
  if (!stamp || !line || line === 'ended') {
    const log = await readFile(file.log, 'utf8').catch(() => '');
    throw new Problem('lab.failed', "The lab's API did not start", {
      where: file.log,
      log: log.trimEnd().split('\n').slice(-10),
    });
  }
  const daemon: Daemon = { ...line, stamp, images, cidr };
  await writeFile(file.daemon, JSON.stringify(daemon), { mode: 0o600 });
  return daemon;
}

async function stopDaemon(daemon: Daemon): Promise<void> {
  signal(daemon.stamp, 'SIGTERM');
  if (!(await until(() => !isRunning(daemon.stamp), labDefaults.apiStopMs))) await kill(daemon.stamp);
}

async function findDaemon(): Promise<Daemon | undefined> {
  const text = await readFile(paths().daemon, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const daemon = JSON.parse(text) as Daemon;
  return isRunning(daemon.stamp) ? daemon : undefined;
}

async function runningDaemon(): Promise<Daemon> {
  const daemon = await findDaemon();
  if (!daemon) throw new Problem('lab.down', 'The lab is not running');
  return daemon;
}

async function ask(method: string, path: string, body?: object): Promise<unknown> {
  const { url, token } = await runningDaemon();
  const answer = await fetch(new URL(path, url), {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) {
    throw new Problem('lab.failed', `The lab refused ${method} ${path}`, {
      reason: text.slice(0, 500),
      next: 'see `nix-infra lab status`',
    });
  }
  return text === '' ? undefined : JSON.parse(text);
}

/** The wanted port when nobody has it, so that a project's .env stays right from one lab to the next; else any. */
function freePort(wanted: number): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(0));
    probe.listen(wanted, '127.0.0.1', () => probe.close(() => resolve(wanted)));
  });
}
