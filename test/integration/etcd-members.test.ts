import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { etcdDefaults } from '../../shared/etcd/defaults.js';
import { type AgentHandle, type Cluster, startCluster } from '../harness/cluster.js';
import { bundleOf, type Operator } from '../harness/operator.js';
import { until } from '../harness/until.js';

let cluster: Cluster;
let operator: Operator;
let agent: AgentHandle;
const key = '/cluster/services/plain/instances/worker001';

beforeAll(async () => {
  cluster = await startCluster(3);
  const controller = await cluster.controller('etcd001');
  operator = await cluster.operator(controller.port);
  agent = await cluster.agent('worker001', [controller.port]);
  agent.unit('plain.service', true);
  const app = {
    name: 'plain',
    group: 'services',
    unit: 'plain.service',
    port: 99,
    bindIp: '10.10.1.0',
    meta_data: {},
    health: { kind: 'none' },
  };
  writeFileSync(join(agent.appsDir, 'plain.json'), JSON.stringify(app));
  await until('registered', 20_000, () => cluster.etcd.store.get(key));
});
afterAll(async () => {
  await cluster?.stop();
});

const deployed = async (text: string) => {
  const bundle = bundleOf('worker001', { 'flake.nix': text });
  await operator.deploy(bundle);
  await until(
    'applied',
    30_000,
    async () => (await operator.node('worker001'))?.result?.revision === bundle.manifest.revision,
  );
};

it('goes on with one of three members dead, and says which', async () => {
  const leader = (await operator.status()).etcd.findIndex((member) => member.leader);
  await cluster.etcd.kill(leader);
  await deployed('one member dead');
  const { etcd } = await operator.status();
  expect(etcd.map((member) => member.healthy)).toEqual([0, 1, 2].map((i) => i !== leader));
  cluster.etcd.start(leader);
  await until('all members healthy', 20_000, async () =>
    (await operator.status()).etcd.every((member) => member.healthy),
  );
});

it('refuses without quorum, tears nothing down, and goes on when it is back', async () => {
  await cluster.etcd.kill(0);
  await cluster.etcd.kill(1);
  const bundle = bundleOf('worker001', { 'flake.nix': 'no quorum' });
  await expect(operator.deploy(bundle)).rejects.toMatchObject({ details: expect.stringContaining('etcd') });
  cluster.etcd.start(0);
  cluster.etcd.start(1);
  await cluster.etcd.healthy();
  await deployed('quorum again');
  const entry = await until('registered', 30_000, () => cluster.etcd.store.get(key));
  expect(entry.lease).not.toBe('0');
});

it('tells a watcher every key once, also across the death of the member that serves it', async () => {
  const { store } = cluster.etcd;
  const prefix = '/harness/watch/';
  const seen = new Map<string, string | undefined>();
  const watch = store.watchPrefix(prefix, ({ key: changed, entry }) =>
    seen.set(changed, entry?.value.toString()),
  );
  await watch.ready;
  for (let i = 0; i < 60; i++) {
    if (i % 20 === 10) await cluster.etcd.kill(2);
    if (i % 20 === 15) cluster.etcd.start(2);
    await store.put(`${prefix}${i % 10}`, String(i));
    if (i % 7 === 0) await store.delete(`${prefix}${i % 10}`);
  }
  const actual = async () =>
    new Map((await store.getPrefix(prefix)).entries.map((entry) => [entry.key, entry.value.toString()]));
  const expected = await actual();
  await until('the watcher knows what etcd holds', etcdDefaults.callMs * 4, () => {
    const known = [...seen].filter(([, value]) => value !== undefined).sort();
    return JSON.stringify(known) === JSON.stringify([...expected].sort());
  });
  watch.close();
}, 90_000);
