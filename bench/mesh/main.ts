/**
 * How long an instance change takes until it is felt at a request: put -> first request served, key removed -> last request served.
 * Side by side in one run, each with an etcd, a haproxy and the product's template of its own: the agent with confd beside it, as on
 * nodes; confd alone, with a reload for every change; and a watch that does nothing but `set server addr`, which is the near limit
 * (there a change is a move to another address and back). Quote the ratios: absolute times move.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EtcdHarness, freePort, startEtcd } from '../../test/harness/etcd.js';
import { type MeshNode, startMeshNode } from '../../test/harness/mesh-node.js';
import { request } from '../../test/harness/requests.js';
import { until } from '../../test/harness/until.js';
import { type PartOptions, runPart } from './parts.js';
import { quantile } from './quantile.js';

const sizes = [1, 10, 100];
const rounds = 10;
const node = 'bench001';
const waitMs = 20_000;
/** Requests in a row that another one answered, before the leaving one is taken to be gone. */
const goneAfter = 20;

type Way = 'agent' | 'reload' | 'limit';
const ways: readonly Way[] = ['agent', 'limit', 'reload'];
/** Changes of each way in a round; a reload takes long, and needs fewer to be known. */
const perRound: Readonly<Record<Way, number>> = { agent: 3, limit: 3, reload: 1 };

interface Apps {
  old: Server;
  coming: Server;
}

interface Samples {
  come: number[];
  go: number[];
  reloads: number;
}

/** One way, ready to be measured: its own etcd, haproxy and processes. */
interface Stand {
  etcd: EtcdHarness;
  mesh: MeshNode;
  part: ChildProcess | undefined;
  /** Port of the listener of the app that is measured. */
  port: number;
  key: string;
}

async function startApp(text: string): Promise<Server> {
  const server = createServer((_, answer) => answer.end(text)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const instance = (server: Server) =>
  JSON.stringify({ ipv4: '127.0.0.1', node: 'worker001', port: (server.address() as AddressInfo).port });

async function setUp(dir: string, way: Way, size: number, apps: Apps): Promise<Stand> {
  // Before the library that needs it: a bundle in pieces does not keep the order of imports.
  await import('reflect-metadata');
  const { makeAuthority } = await import('../../test/harness/certificates.js');
  const etcd = await startEtcd(dir, await makeAuthority(join(dir, 'pki'), 'bench'));
  const registration = { ipv4: '127.0.0.1', name: node, services: ['frontends'] };
  await etcd.store.put(`/cluster/nodes/${node}`, JSON.stringify(registration));
  const ports: number[] = [];
  for (let at = 0; at < size; at++) {
    const port = await freePort();
    ports.push(port);
    const meta = { env: { PROTOCOL: 'http' }, env_prefix: 'APP', publish: { port } };
    await etcd.store.put(`/cluster/frontends/app${at}/meta_data`, JSON.stringify(meta));
    // The app that is measured begins without an instance; the others have three each.
    const ids = at > 0 ? ['worker001', 'worker002', 'worker003'] : way === 'limit' ? ['worker001'] : [];
    for (const id of ids)
      await etcd.store.put(`/cluster/frontends/app${at}/instances/${id}`, instance(apps.old));
  }
  const asksFirst = way === 'agent';
  const mesh = await startMeshNode({
    dir: join(dir, 'mesh'),
    node,
    services: ['frontends'],
    etcd: etcd.config,
    asksFirst,
  });
  const [port = 0] = ports;
  const last = ports.at(-1) ?? 0;
  await until('every app has its listener', waitMs, async () => (await request(last)).status > 0);
  const key = '/cluster/frontends/app0/instances/worker001';
  if (way === 'limit') await mesh.stopConfd();
  const part =
    way === 'reload'
      ? undefined
      : await startPart({
          kind: way,
          node,
          etcd: etcd.config,
          socket: mesh.socket,
          record: mesh.record,
          key,
          server: 'app0/worker001',
        });
  return { etcd, mesh, part, port, key };
}

async function startPart(options: PartOptions): Promise<ChildProcess> {
  const part = fork(process.argv[1] ?? '', ['part', JSON.stringify(options)], { stdio: 'inherit' });
  await once(part, 'message');
  return part;
}

/** From the change until the first request that the coming instance answers. */
async function come(port: number, change: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  const changed = change();
  while ((await request(port)).text !== 'coming')
    if (performance.now() - from > waitMs) throw new Error('never served');
  const ms = performance.now() - from;
  await changed;
  return ms;
}

/** From the change until the last request that it answers. */
async function go(port: number, change: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  const changed = change();
  let last = from;
  for (let others = 0; others < goneAfter; others++) {
    if ((await request(port)).text === 'coming') [last, others] = [performance.now(), 0];
    if (performance.now() - from > waitMs) throw new Error('never gone');
  }
  await changed;
  return last - from;
}

/** One change and back, from rest to rest. */
async function measure(
  { etcd, mesh, port, key }: Stand,
  way: Way,
  apps: Apps,
  samples: Samples,
): Promise<void> {
  const put = (server: Server) => () => etcd.store.put(key, instance(server));
  const steps = () => (way === 'agent' ? mesh.said().split('\n').length : mesh.reloads());
  /** The next change begins when confd has rendered this one and its command has ended. */
  const rest = async (isThere: boolean, before: number) => {
    if (way === 'limit') return;
    await until('at rest', waitMs, async () => {
      const [first = ''] = readFileSync(mesh.record.file, 'utf8').split('\nlisten tcp-in-frontends-app1\n');
      const state = await mesh.admin('show servers state app0');
      const isRendered = /^ *server worker001 /m.test(first) === isThere;
      return isRendered && / app0 \d+ worker001 /.test(state) === isThere && steps() > before;
    });
    await mesh.worker();
  };
  const reloads = mesh.reloads();
  let before = steps();
  samples.come.push(await come(port, put(apps.coming)));
  await rest(true, before);
  before = steps();
  samples.go.push(await go(port, way === 'limit' ? put(apps.old) : () => etcd.store.delete(key)));
  await rest(false, before);
  samples.reloads += mesh.reloads() - reloads;
}

const cell = (ms: number) => ms.toFixed(1).padStart(8);

function print(size: number, results: ReadonlyMap<Way, Samples>): void {
  console.log(`\n${size} app(s), ms`);
  console.log('           put -> first request served    removed -> last request served');
  console.log('                p50      p99                   p50      p99   changes   reloads');
  for (const [way, { come, go, reloads }] of results) {
    const numbers = [come, go].map(
      (samples) => `${cell(quantile(samples, 0.5))} ${cell(quantile(samples, 0.99))}`,
    );
    console.log(
      `  ${way.padEnd(8)} ${numbers.join('              ')} ${String(come.length + go.length).padStart(9)} ${String(reloads).padStart(9)}`,
    );
  }
  const ratio = (over: Way, under: Way, what: 'come' | 'go', share: number) => {
    const [a, b] = [over, under].map((way) => quantile(results.get(way)?.[what] ?? [], share));
    return ((a ?? 0) / (b ?? 1)).toFixed(2);
  };
  for (const what of ['come', 'go'] as const) {
    const shares = [0.5, 0.99];
    const limit = shares.map((share) => ratio('agent', 'limit', what, share)).join(' / ');
    const reload = shares.map((share) => ratio('reload', 'agent', what, share)).join(' / ');
    console.log(`  ${what.padEnd(5)} agent / limit (p50 / p99) = ${limit}   reload / agent = ${reload}`);
  }
}

async function bench(dir: string, size: number, apps: Apps): Promise<void> {
  const stands = new Map<Way, Stand>();
  const results = new Map<Way, Samples>(ways.map((way) => [way, { come: [], go: [], reloads: 0 }]));
  try {
    for (const way of ways) stands.set(way, await setUp(join(dir, `${way}-${size}`), way, size, apps));
    // In turns, so that whatever else the machine does meets all of them alike.
    for (let round = 0; round < rounds; round++) {
      for (const [way, stand] of stands)
        for (let at = 0; at < perRound[way]; at++)
          await measure(stand, way, apps, results.get(way) as Samples);
    }
    print(size, results);
  } finally {
    for (const { part, mesh, etcd } of stands.values()) {
      part?.kill();
      await mesh.stop();
      await etcd.stop();
    }
  }
}

async function main(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'nix-infra-bench-mesh-'));
  const apps = { old: await startApp('old'), coming: await startApp('coming') };
  try {
    for (const size of sizes) await bench(dir, size, apps);
  } finally {
    apps.old.close();
    apps.coming.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

if (process.argv[2] === 'part') await runPart(JSON.parse(process.argv[3] ?? '') as PartOptions);
else await main();
