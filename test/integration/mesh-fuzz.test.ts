/**
 * Nothing in etcd breaks the routes: generated sets of keys through a real etcd, a real confd and a real `haproxy -c`.
 * `MESH_FUZZ_SEEDS=FROM-TO` runs other seeds than the first 2,000; a failure names its seed.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { holds, parseRendered } from '../../agent/mesh/rendered.js';
import { readRoutes } from '../../agent/mesh/routes.js';
import { makeAuthority } from '../harness/certificates.js';
import { type EtcdHarness, startEtcd } from '../harness/etcd.js';
import { confdProgram, meshTemplate, writeConfdFolder } from '../harness/mesh-config.js';
import { type KeySet, keySet } from '../harness/mesh-keys.js';
import { type ExpectedApp, expectedApps } from '../harness/mesh-oracle.js';

const [from = 1, to = 2_000] = (process.env.MESH_FUZZ_SEEDS ?? '').split('-').filter(Boolean).map(Number);
/** Sets that one run of confd renders, and runs at a time: haproxy's check is most of the work, one core each. */
const perRun = 25;
const runs = 2;

let dir: string;
let etcd: EtcdHarness;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'nix-infra-mesh-fuzz-'));
  etcd = await startEtcd(dir, await makeAuthority(dir, 'fuzz'));
});
afterAll(async () => {
  await etcd?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Everything the template may print, comments aside: names of sound apps and instances, ports, addresses and fixed words. */
const directives = [
  /^listen tcp-in-(frontends|backends|services)-[a-z0-9-]+$/,
  /^ {2}bind 127\.0\.0\.1:\d+$/,
  /^ {2}(mode http|option idle-close-on-response|option forwardfor if-none)$/,
  /^ {2}http-request set-header X-Forwarded-Proto http unless { req\.hdr\(X-Forwarded-Proto\) -m found }$/,
  /^ {2}http-request set-header X-Forwarded-Host %\[req\.hdr\(Host\)\] unless { req\.hdr\(X-Forwarded-Host\) -m found }$/,
  /^ {2}use_backend [a-z0-9.-]+$/,
  /^ {2}backend [a-z0-9.-]+$/,
  /^ {4}(balance roundrobin|option redispatch 1|retries 3|mode http|retry-on conn-failure empty-response|timeout check 1s)$/,
  /^ {4}(option http-server-close|option srvtcpka|srvtcpka-idle 1s|srvtcpka-intvl 1s|srvtcpka-cnt 2)$/,
  /^ {4}http-request disable-l7-retry unless { method [A-Z ]+ }$/,
  /^ {4}option httpchk GET \/[a-zA-Z0-9._~/?=&-]*$/,
  /^ {4}http-check expect status 200-399$/,
  /^ {4}default-server inter 500ms fall 2 rise 1 pool-purge-delay 250ms$/,
  /^ {4}server [a-z0-9.-]+ [0-9.]+:[0-9]+ check tcp-ut 1s$/,
];
const base = readFileSync(new URL('../../nixos/modules/haproxy/base.cfg', import.meta.url), 'utf8');

/** The apps of a file; another reader than the agent's. */
function appsOf(text: string): ExpectedApp[] {
  return text
    .split(/^(?=listen )/m)
    .slice(1)
    .map((part) => {
      const find = (pattern: RegExp) => pattern.exec(part)?.[1];
      const [inner, outer] = [
        part.slice(part.indexOf('\n  backend ')),
        part.slice(0, part.indexOf('\n  backend ')),
      ];
      expect(find(/^ {2}backend (.*)$/m)).toBe(find(/^ {2}use_backend (.*)$/m));
      expect(inner.includes('mode http')).toBe(outer.includes('mode http'));
      return {
        listener: find(/^listen (.*)$/m) ?? '',
        port: Number(find(/^ {2}bind 127\.0\.0\.1:(.*)$/m)),
        http: outer.includes('mode http'),
        healthPath: find(/httpchk GET (.*)$/m),
        servers: [...part.matchAll(/^ {4}server (\S+ \S+) check tcp-ut 1s$/gm)]
          .map((match) => match[1] as string)
          .sort(),
        held: part.includes('# held: '),
      };
    });
}

/** Fails with the first difference: a whole set is too much to read. */
function same<T>(what: string, got: readonly T[], wanted: readonly T[]): void {
  const at = [...got.keys(), ...wanted.keys()].find(
    (one) => JSON.stringify(got[one]) !== JSON.stringify(wanted[one]),
  );
  if (at !== undefined)
    throw new Error(
      `${what}, item ${at}: got ${JSON.stringify(got[at])}, wanted ${JSON.stringify(wanted[at])}`,
    );
}

function judge(set: KeySet, text: string): void {
  expect(text.startsWith(base)).toBe(true);
  const lines = text.slice(base.length).split('\n');
  const directive = lines.filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'));
  expect(directive.filter((line) => !directives.some((pattern) => pattern.test(line)))).toEqual([]);
  same('the file and the oracle', appsOf(text), expectedApps(set));
  const read = readRoutes(set.entries, set);
  const routes = read.routes.map(({ group: _, app: __, held: ___, ...route }) => route);
  same('the file and routes.ts', parseRendered(text), routes);
  expect(holds(parseRendered(text), read.routes)).toBe(true);
  // What the file leaves out, the agent says.
  const left = lines.filter((line) => /^ *# (left out|held|the registration)/.test(line)).length;
  expect(read.warnings.length).toBeGreaterThanOrEqual(left);
}

async function put(seed: number, set: KeySet): Promise<void> {
  const writes = set.entries.map(({ key, value }) => ({ do: 'put' as const, key: `/${seed}${key}`, value }));
  // etcd takes 128 operations and 1.5 MiB in one transaction.
  for (let at = 0; at < writes.length; ) {
    let [end, bytes] = [at, 0];
    while (end < writes.length && end - at < 100 && bytes < 500_000)
      bytes += writes[end++]?.value.length ?? 0;
    await etcd.store.transact([], writes.slice(at, end));
    at = end;
  }
}

async function run(seeds: readonly number[]): Promise<string[]> {
  const sets = seeds.map((seed) => ({ seed, set: keySet(seed), dest: join(dir, 'out', `${seed}.cfg`) }));
  for (const { seed, set } of sets) await put(seed, set);
  const folder = join(dir, `confd-${seeds[0]}`);
  const { node, services } = (sets[0] as (typeof sets)[number]).set;
  const check = 'haproxy -c -f {{.src}}';
  const resources = sets.map(({ seed, dest }) => ({ dest, check, prefix: `/${seed}` }));
  writeConfdFolder(folder, meshTemplate(node, services), resources);
  const args = [
    '-onetime',
    '-backend',
    'etcdv3',
    '-confdir',
    folder,
    '-log-level',
    'error',
    '-node',
    etcd.config.endpoints[0] as string,
  ];
  const tls = [
    '-client-ca-keys',
    etcd.config.ca,
    '-client-cert',
    etcd.config.cert,
    '-client-key',
    etcd.config.key,
  ];
  const failed = await new Promise<string>((resolve) => {
    execFile(confdProgram, [...args, ...tls], (error, _, stderr) =>
      resolve(error ? `${error.code}: ${stderr}` : ''),
    );
  });
  const problems =
    failed === '' ? [] : [`seeds ${seeds[0]} to ${seeds.at(-1)}: confd ${failed.slice(0, 4_000)}`];
  for (const { seed, set, dest } of sets) {
    try {
      judge(set, readFileSync(dest, 'utf8'));
    } catch (error) {
      problems.push(
        `seed ${seed} (MESH_FUZZ_SEEDS=${seed}-${seed}): ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    await etcd.store.deletePrefix(`/${seed}/`);
    rmSync(dest, { force: true });
  }
  return problems;
}

it(`no set of keys breaks the routes or loses a sound app (seeds ${from} to ${to})`, {
  timeout: 600_000,
}, async () => {
  mkdirSync(join(dir, 'out'));
  const batches: number[][] = [];
  for (let seed = from; seed <= to; seed += perRun)
    batches.push(Array.from({ length: Math.min(perRun, to - seed + 1) }, (_, at) => seed + at));
  const problems: string[] = [];
  const worker = async () => {
    for (let batch = batches.shift(); batch; batch = batches.shift()) problems.push(...(await run(batch)));
  };
  await Promise.all(Array.from({ length: runs }, worker));
  expect(problems.slice(0, 5).join('\n\n')).toBe('');
});
