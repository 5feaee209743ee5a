/** What the mesh does, seen from outside and quickly: running haproxies by their sockets, keys in etcd, and load with a ledger. */
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect } from 'vitest';
import { labExec, labServers } from '../../lab/cli.js';
import { serversIn } from '../../lab/demo/cluster-view.js';
import {
  explained,
  failuresOf,
  type Ledger,
  type LedgerEntry,
  type Method,
  startLedger,
  summarise,
} from '../../lab/demo/ledger.js';
import { waitUntil } from '../../lab/demo/wait-until.js';
import { initBelow } from '../../lab/machines/process.js';
import { machinePaths, type RunRecord, stateDir } from '../../lab/machines/state-dir.js';

/** How often a condition is looked at where its time is measured (ms): far below the shortest promise, 1 s. */
const LOOK_MS = 20;

/** Servers of an app in the running haproxy of a node, with their state; asked through the machine's socket, in about a millisecond. */
export async function rotation(node: string, app: string): Promise<Record<string, string>> {
  const id = await machineOf(node);
  const run = JSON.parse(await readFile(machinePaths(stateDir(), id).run, 'utf8')) as RunRecord;
  const init = initBelow(run.supervisor.pid);
  if (!init) throw new Error(`${node} does not run`);
  const socket = connect(join(`/proc/${init.pid}/root`, 'run/haproxy/haproxy.sock'));
  let text = '';
  socket.setEncoding('utf8').end('show stat\n');
  for await (const part of socket) text += part;
  return serversIn(text, app);
}

const machines = new Map<string, string>();

async function machineOf(node: string): Promise<string> {
  if (!machines.has(node)) for (const { name, id } of await labServers()) machines.set(name, id);
  return machines.get(node) ?? '';
}

/** Waits until `app` is served, or not, by the instance `server` in every haproxy of these nodes; ms since the call. */
export async function inRotation(
  nodes: readonly string[],
  app: string,
  server: string,
  present: boolean,
  deadlineMs: number,
): Promise<number> {
  const each = nodes.map((node) =>
    waitUntil(
      `${app} of ${server} ${present ? 'in' : 'out of'} the haproxy of ${node}`,
      async () => ((await rotation(node, app))[server]?.startsWith('UP') ?? false) === present,
      { deadlineMs, everyMs: LOOK_MS },
    ),
  );
  return Math.round(Math.max(...(await Promise.all(each)).map(({ ms }) => ms)));
}

/** The last segments of the keys below a prefix, read with a quorum on a control node's console. */
export async function keysBelow(control: string, prefix: string): Promise<string[]> {
  const { code, stdout, stderr } = await labExec(control, [
    'etcdctl',
    '--endpoints=https://127.0.0.1:2379',
    '--cacert=/root/certs/ca-chain.cert.pem',
    `--cert=/root/certs/${control}-client-tls.cert.pem`,
    `--key=/root/certs/${control}-client-tls.key.pem`,
    ...['get', '--prefix', '--keys-only', prefix],
  ]);
  if (code !== 0) throw new Error(`etcdctl on ${control}: ${stderr}`);
  return stdout.split('\n').flatMap((line) => (line.startsWith(prefix) ? [line.slice(prefix.length)] : []));
}

/** Waits until exactly these instances are in etcd; ms since the call. */
export async function instances(
  control: string,
  app: string,
  wanted: readonly string[],
  deadlineMs: number,
): Promise<number> {
  const { ms } = await waitUntil(
    `the instances ${wanted.join(', ') || '(none)'} of ${app} in etcd`,
    async () => (await keysBelow(control, `/cluster/frontends/${app}/instances/`)).join() === wanted.join(),
    { deadlineMs },
  );
  return Math.round(ms);
}

/** Load against the app, and the moment on its clock from which everything is counted. */
export class Load {
  /** Just before the fault. */
  #at = 0;
  readonly #ledger: Ledger;

  constructor(url: string) {
    this.#ledger = startLedger(url, 200, { posts: { perSecond: 20 } });
  }

  /** Breaks something; times are counted from here. */
  async fault(work: () => Promise<unknown>): Promise<void> {
    this.#at = this.#ledger.now();
    await work();
  }

  /** Milliseconds since the fault. */
  now(): number {
    return Math.round(this.#ledger.now() - this.#at);
  }

  /** Waits until as many more requests as `seconds` of load were begun and answered, well or not. */
  async goesOn(seconds: number): Promise<void> {
    const wanted = this.#ledger.entries.length + seconds * 220;
    await waitUntil(`${seconds} s of load`, async () => this.#ledger.entries.length >= wanted);
  }

  /** Ends the load and prints every failure with its cause and time. */
  async stop(title: string): Promise<Verdict> {
    const entries = await this.#ledger.stop();
    const { requests, failed, slowest } = summarise(entries);
    console.log(`${title}: ${requests} requests, ${failed} failed, slowest ${slowest} ms`);
    for (const entry of entries) if (entry.failure) console.log(`  ${explained(entry, this.#at)}`);
    return new Verdict(entries, this.#at);
  }
}

export class Verdict {
  constructor(
    private readonly entries: readonly LedgerEntry[],
    private readonly at: number,
  ) {}

  /** No request of this method failed, but those that `excuse` knows: by the ms from the fault to its begin and to its end. */
  expectNoFailed(method: Method, excuse: (begun: number, ended: number) => boolean = () => false): void {
    const unexcused = failuresOf(this.entries, method).filter(
      ({ at, ms }) => !excuse(at - this.at, at - this.at + ms),
    );
    expect(unexcused.map((entry) => explained(entry, this.at))).toEqual([]);
    expect(this.entries.filter((entry) => entry.method === method).length).toBeGreaterThan(0);
  }

  failed(method: Method): number {
    return failuresOf(this.entries, method).length;
  }
}
