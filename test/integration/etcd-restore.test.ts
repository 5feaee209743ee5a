/**
 * A snapshot out through a controller and back into three real members, with the very commands that `etcd restore` runs over SSH. The agent has
 * seen orders of higher revisions than the restored etcd will have for long, and takes orders again all the same.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type Operator as Client,
  createOperatorClient,
} from '../../controller/operator-client/operator-client.js';
import type { Controller } from '../../controller/server/server.js';
import { nextEpoch } from '../../controller/store/epoch.js';
import { keys } from '../../controller/store/keys.js';
import { prepareCommand, raiseEpochCommand, swapCommand } from '../../controller/up/restore-commands.js';
import { readSnapshot, writeSnapshot } from '../../controller/up/snapshot.js';
import { type AgentHandle, type Cluster, clusterName, startCluster } from '../harness/cluster.js';
import { bundleOf, type Operator } from '../harness/operator.js';
import { until } from '../harness/until.js';

const node = 'worker001';
const instance = `/cluster/services/plain/instances/${node}`;
let cluster: Cluster;
let controller: Controller;
let operator: Operator;
let agent: AgentHandle;
let file: string;

beforeAll(async () => {
  cluster = await startCluster(3);
  controller = await cluster.controller('etcd001');
  operator = await cluster.operator(controller.port);
  agent = await cluster.agent(node, [controller.port]);
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
  await until('registered', 20_000, () => cluster.etcd.store.get(instance));
  file = join(cluster.dir, 'snapshot.db');
});
afterAll(async () => {
  await cluster?.stop();
});

async function deployed(text: string): Promise<void> {
  const bundle = bundleOf(node, { 'flake.nix': text });
  await operator.deploy(bundle);
  await until(
    `it runs ${text}`,
    30_000,
    async () => (await operator.node(node))?.result?.revision === bundle.manifest.revision,
  );
}

/** The command's own client. */
async function operatorClient(): Promise<Pick<Client, 'snapshotEtcd' | 'close'>> {
  const { ca, cert, key } = await cluster.authority.issue('bob', 'operator');
  const controllers = [{ name: 'localhost', address: `localhost:${controller.port}` }];
  const [chainPem = '', certPem = '', keyPem = ''] = [ca, cert, key].map((path) =>
    readFileSync(path, 'utf8'),
  );
  return createOperatorClient({ cluster: clusterName, controllers, chainPem, certPem, keyPem });
}

const fence = () =>
  JSON.parse(readFileSync(join(dirname(agent.configDir), 'state', 'fence.json'), 'utf8')) as {
    epoch: number;
    token: number;
    change: number;
  };

/** As SSH does it on a node. */
function shell(command: string, input: Buffer = Buffer.alloc(0)): string {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { input, encoding: 'utf8' });
  expect(status, `${command}\n${stdout}\n${stderr}`).toBe(0);
  return stdout;
}

function places(member: number, stamp: string) {
  const data = cluster.etcd.dataDir(member);
  const owner = `${process.getuid?.()}:${process.getgid?.()}`;
  return { data, work: `${data}-restore`, aside: `${data}-before-${stamp}`, owner };
}

/** New data from the snapshot beside the old, on one member. */
async function prepare(member: number, stamp: string): Promise<void> {
  const { members } = cluster.etcd;
  const content = await readSnapshot(file);
  const { name, peer } = members[member] as (typeof members)[number];
  const restored = {
    name,
    peerUrl: peer,
    initialCluster: members.map((one) => `${one.name}=${one.peer}`).join(','),
    token: `harness-${stamp}`,
  };
  shell(prepareCommand(places(member, stamp), restored, content.length), content);
}

it('a snapshot comes whole, or not at all', async () => {
  await deployed('one');
  const client = await operatorClient();
  try {
    const { bytes } = await writeSnapshot(client, file, new AbortController().signal);
    expect(statSync(file)).toMatchObject({ size: bytes });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await readSnapshot(file)).toHaveLength(bytes);
    const stopped = new AbortController();
    stopped.abort();
    const none = `${file}-none`;
    await expect(writeSnapshot(client, none, stopped.signal)).rejects.toMatchObject({ code: 'interrupted' });
    expect([none, `${none}.part`].filter(existsSync)).toEqual([]);
  } finally {
    client.close();
  }
});

it('a member that is dead is not asked for it', async () => {
  await cluster.etcd.kill(0);
  const client = await operatorClient();
  try {
    const taken = await writeSnapshot(client, `${file}-2`, new AbortController().signal);
    expect(taken.bytes).toBeGreaterThan(0);
  } finally {
    client.close();
    cluster.etcd.start(0);
  }
});

it('the restored etcd is agreed upon, and the agent takes its orders', async () => {
  const { etcd } = cluster;
  for (let round = 0; round < 20; round++)
    await Promise.all(Array.from({ length: 50 }, (_, i) => etcd.store.put(`/harness/fill/${i}`, `${round}`)));
  await etcd.store.put('/harness/lost', 'with the restore');
  await deployed('two');
  const before = fence();
  expect(before).toMatchObject({ epoch: 0 });
  const seen = new Map<string, string | undefined>();
  const watch = etcd.store.watchPrefix('/harness/', ({ key, entry }) =>
    seen.set(key, entry?.value.toString()),
  );
  await watch.ready;
  expect(seen.get('/harness/lost')).toBe('with the restore');

  // The first run dies after one member was swapped; the next one does it all again.
  for (const member of [0, 1, 2]) await prepare(member, 'first');
  await controller.stop();
  for (const member of [0, 1, 2]) await etcd.kill(member);
  shell(swapCommand(places(0, 'first')));
  for (const member of [0, 1, 2]) await prepare(member, 'second');
  for (const member of [0, 1, 2]) {
    // A cut between its two renames: the old data is aside, the new is not in its place.
    const { data, aside } = places(member, 'second');
    if (member === 1) shell(`mkdir -p ${aside}; mv ${data}/member ${aside}/`);
    shell(swapCommand(places(member, 'second')));
    shell(swapCommand(places(member, 'second')));
    expect(existsSync(join(aside, 'member'))).toBe(true);
  }
  expect(existsSync(join(places(0, 'first').aside, 'member'))).toBe(true);
  for (const member of [0, 1, 2]) etcd.start(member);
  await etcd.healthy();
  const { ca, cert, key, endpoints } = etcd.config;
  const etcdctl = `ETCDCTL_API=3 etcdctl --endpoints=${endpoints.join(',')} --cacert=${ca} --cert=${cert} --key=${key}`;
  const epoch = nextEpoch([before.epoch], Date.now());
  shell(raiseEpochCommand(etcdctl, epoch));
  controller = await cluster.controller('etcd001', controller.port);

  expect((await etcd.store.get(keys.epoch))?.value.toString()).toBe(String(epoch));
  expect(await etcd.store.get(keys.desired(node))).toBeUndefined();
  expect(await etcd.store.get('/harness/lost')).toBeUndefined();
  await until('a watch of before knows what is gone', 20_000, () => seen.get('/harness/lost') === undefined);
  await etcd.store.put('/harness/new', 'after');
  await until('and what is new', 20_000, () => seen.get('/harness/new') === 'after');
  watch.close();
  await until('the agent is back', 30_000, async () => (await operator.node(node))?.connected);
  const entry = await until('its instance is registered', 30_000, () => etcd.store.get(instance));
  expect(entry.lease).not.toBe('0');

  await deployed('three');
  const after = fence();
  expect(after.epoch).toBe(epoch);
  // Without an epoch this very order would have been one of the past.
  expect(after.token).toBeLessThan(before.change);
  expect(after.change).toBeLessThan(before.change);
}, 120_000);

it('an order of a stale leader of the restored etcd is refused still', async () => {
  const { etcd } = cluster;
  const current = (await etcd.store.get(keys.desired(node)))?.value.toString() ?? '';
  const stale = { ...JSON.parse(current), order: 'stale/worker001/1', token: 1 };
  await etcd.store.put(keys.desired(node), JSON.stringify(stale));
  await until('it was refused', 20_000, () => agent.log().includes('stale/worker001/1'));
  expect(agent.log()).toMatch(/"id":"stale\/worker001\/1".*an order of the past is refused/);
});
