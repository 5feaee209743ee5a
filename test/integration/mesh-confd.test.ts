/** confd, real and unmodified, under what etcd may do to it: the file follows in the end, by itself or because the agent restarts confd. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../agent/clock.js';
import { parseRendered } from '../../agent/mesh/rendered.js';
import { Renderer } from '../../agent/mesh/renderer.js';
import { makeAuthority } from '../harness/certificates.js';
import { type ConfdHarness, startConfd } from '../harness/confd.js';
import { type CutProxy, startCutProxy } from '../harness/cut-proxy.js';
import { type EtcdHarness, startEtcd } from '../harness/etcd.js';
import { until } from '../harness/until.js';

/** confd finds out by itself after 13 s that a connection is dead; the agent restarts it after 5 s, and a restart takes one or two. */
const deadlineMs = 30_000;
const node = 'worker001';
const members = [0, 1, 2];

let dir: string;
let file: string;
let etcd: EtcdHarness;
let proxies: CutProxy[];
let confd: ConfdHarness;
let renderer: Renderer;
let restarts = 0;
let count = 0;
const seen = new Set<string>();

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'nix-infra-mesh-confd-'));
  file = join(dir, 'haproxy.cfg');
  writeFileSync(file, '');
  etcd = await startEtcd(dir, await makeAuthority(dir, 'confd'), 3);
  proxies = await Promise.all(
    etcd.members.map(({ endpoint }) => startCutProxy(Number(new URL(endpoint).port))),
  );
  await etcd.store.put(`/cluster/nodes/${node}`, JSON.stringify({ name: node, services: ['frontends'] }));
  await etcd.store.put('/cluster/frontends/app/meta_data', JSON.stringify({ publish: { port: 8080 } }));
  confd = startConfd({
    dir: join(dir, 'confd'),
    endpoints: proxies.map(({ port }) => `https://localhost:${port}`),
    tls: etcd.config,
    node,
    services: ['frontends'],
    resource: { dest: file, check: 'haproxy -c -f {{.src}}' },
  });
  renderer = new Renderer({
    subscriber: { node, services: ['frontends'] },
    configFile: file,
    etcd: etcd.store,
    clock: systemClock,
    log: pino({ level: 'silent' }),
    restartConfd: async () => {
      restarts += 1;
      await confd.restart();
    },
    onChange: () => {
      for (const { code } of renderer.warnings()) seen.add(code);
    },
  });
  renderer.start();
});
afterEach(async () => {
  for (const member of members) etcd.signal(member, 'SIGCONT');
  for (const proxy of proxies) proxy.block(false);
  await etcd.healthy();
});
afterAll(async () => {
  renderer?.stop();
  await confd?.stop();
  await Promise.all((proxies ?? []).map((proxy) => proxy.close()));
  await etcd?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const served = () =>
  parseRendered(readFileSync(file, 'utf8')).flatMap(({ servers }) => servers.map(({ id }) => id));

/** Registers one more instance; resolves with its id when etcd has it. */
async function register(): Promise<string> {
  count += 1;
  const id = `worker${String(count).padStart(3, '0')}`;
  const value = JSON.stringify({ node: id, ipv4: `10.0.0.${count}`, port: 8080 });
  await until(`${id} is registered`, 20_000, async () => {
    await etcd.store.put(`/cluster/frontends/app/instances/${id}`, value);
    return true;
  });
  return id;
}

async function follows(): Promise<void> {
  const id = await register();
  await until(`${id} is in the file`, deadlineMs, () => served().includes(id));
  await until('nothing is wrong', deadlineMs, () => renderer.warnings().length === 0);
}

it('renders what is registered, and follows', async () => {
  await follows();
  expect(renderer.expected()).toEqual({
    revision: expect.any(Number),
    servers: [{ backend: 'app', server: 'worker001', address: '10.0.0.1:8080' }],
  });
  expect(restarts).toBe(0);
});

it('follows after its connections were cut, again and again', async () => {
  for (let at = 0; at < 3; at++) {
    await until('confd is connected', deadlineMs, () => proxies.some((proxy) => proxy.open() > 0));
    for (const proxy of proxies) proxy.cut();
    await follows();
  }
});

it('follows after all members were killed and came back', { timeout: 120_000 }, async () => {
  await Promise.all(members.map((member) => etcd.kill(member)));
  for (const member of members) etcd.start(member);
  await etcd.healthy();
  await follows();
});

it('follows after etcd was compacted while it was cut off', { timeout: 120_000 }, async () => {
  for (const proxy of proxies) {
    proxy.block(true);
    proxy.cut();
  }
  for (let at = 0; at < 3; at++) await register();
  const { revision } = await etcd.store.getPrefix('/cluster/');
  const tls = ['--cacert', etcd.config.ca, '--cert', etcd.config.cert, '--key', etcd.config.key];
  execFileSync(
    'etcdctl',
    ['--endpoints', etcd.config.endpoints.join(), ...tls, 'compact', String(revision)],
    {
      env: { ...process.env, ETCDCTL_API: '3' },
      stdio: 'pipe',
    },
  );
  for (const proxy of proxies) proxy.block(false);
  await follows();
});

// Whichever member confd's watch is at: each is frozen once.
it.each(members)(
  'follows while member %d takes connections and never answers',
  { timeout: 120_000 },
  async (member) => {
    etcd.signal(member, 'SIGSTOP');
    await follows();
    etcd.signal(member, 'SIGCONT');
    await etcd.healthy();
    await follows();
  },
);

it('a confd that hangs is restarted, and said to lag until the file is right', {
  timeout: 120_000,
}, async () => {
  await follows();
  const [before, pid] = [restarts, confd.pid()];
  seen.clear();
  confd.signal('SIGSTOP');
  await follows();
  expect(restarts).toBeGreaterThan(before);
  expect(confd.pid()).not.toBe(pid);
  expect([...seen]).toContain('mesh.lagging');
});
