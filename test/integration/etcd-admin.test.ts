/** Members that are lost for good, over three real ones: what leaves, what joins, what is refused, and that data is kept. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EtcdAdminService } from '../../controller/server/etcd-admin.js';
import { keys } from '../../controller/store/keys.js';
import { type EtcdAdmin, openEtcdAdmin } from '../../shared/etcd/admin.js';
import { openEtcd } from '../../shared/etcd/etcd3-store.js';
import { makeAuthority } from '../harness/certificates.js';
import { type EtcdHarness, freePort, startEtcd } from '../harness/etcd.js';
import { until } from '../harness/until.js';

let dir: string;
let etcd: EtcdHarness;
let admin: EtcdAdmin;
let service: EtcdAdminService;
/** All members of the test live at one address; a node's address stands for its port. */
const peers = new Map<string, string>();

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'etcd-admin-'));
  etcd = await startEtcd(join(dir, 'etcd'), await makeAuthority(join(dir, 'ca'), 'harness'), 3);
  admin = openEtcdAdmin(etcd.config);
  service = new EtcdAdminService(etcd.store, etcd.config, (ipv4) => peers.get(ipv4) ?? 'http://127.0.0.1:1');
  etcd.members.forEach(({ peer }, i) => void peers.set(`10.0.0.${i + 1}`, peer));
  await until('all members', 20_000, async () =>
    (await admin.members()).every(({ clientUrls }) => clientUrls.length > 0),
  );
});
afterAll(async () => {
  admin?.close();
  await etcd?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const names = async () => (await admin.members()).map(({ name }) => name).sort();

it('a healthy member is kept unless it is meant', async () => {
  await expect(service.remove('etcd002', false)).rejects.toMatchObject({ code: 'node.alive' });
  expect(await names()).toEqual(['etcd001', 'etcd002', 'etcd003']);
});

it('one that is no member leaves without a word', async () => {
  await service.remove('worker001', false);
  expect(await names()).toEqual(['etcd001', 'etcd002', 'etcd003']);
});

it('a dead member without its data: lost, leaves, is announced anew and joins; data is kept', async () => {
  for (let i = 0; i < 50; i++) await etcd.store.put(`/data/${i}`, String(i));
  await etcd.kill(1);
  rmSync(etcd.dataDir(1), { recursive: true });
  await expect(service.add('etcd002', '10.0.0.2')).rejects.toMatchObject({ code: 'etcd.member-lost' });

  await until('it counts as dead', 20_000, async () => {
    await service.remove('etcd002', false);
    return true;
  });
  await service.remove('etcd002', false);
  expect(await names()).toEqual(['etcd001', 'etcd003']);

  // The new server has another address, and the announcement is made twice: a run of the command was killed in between.
  const peer = `http://127.0.0.1:${await freePort()}`;
  peers.set('10.0.0.9', peer);
  const cluster = await until('etcd takes a new member', 30_000, () =>
    service.add('etcd002', '10.0.0.9').catch(() => undefined),
  );
  expect(cluster.split(',').sort()).toEqual(
    [`etcd001=${etcd.members[0]?.peer}`, `etcd002=${peer}`, `etcd003=${etcd.members[2]?.peer}`].sort(),
  );
  expect((await service.add('etcd002', '10.0.0.9')).split(',').sort()).toEqual(cluster.split(',').sort());
  expect(await names()).toEqual(['', 'etcd001', 'etcd003']);

  etcd.start(1, {
    'initial-cluster-state': 'existing',
    'initial-cluster': cluster,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
  });
  const own = openEtcd({ ...etcd.config, endpoints: [etcd.members[1]?.endpoint ?? ''] });
  try {
    await until('the new member serves all data', 30_000, async () => {
      const { entries } = await own.getPrefix('/data/').catch(() => ({ entries: [] }));
      return entries.length === 50;
    });
    const status = await own.memberStatus();
    expect(status.leader).not.toBe('0');
  } finally {
    own.close();
  }
  expect(await names()).toEqual(['etcd001', 'etcd002', 'etcd003']);
});

it('a member that was announced and never ran leaves by the address of its node', async () => {
  await etcd.kill(2);
  await until('it leaves', 20_000, async () => {
    await service.remove('etcd003', false);
    return true;
  });
  peers.set('10.0.0.7', `http://127.0.0.1:${await freePort()}`);
  await etcd.store.put(
    keys.clusterNode('etcd003'),
    JSON.stringify({ name: 'etcd003', ipv4: '10.0.0.7', services: [] }),
  );
  await until('announced', 30_000, () => service.add('etcd003', '10.0.0.7').catch(() => undefined));
  expect(await names()).toEqual(['', 'etcd001', 'etcd002']);
  await service.remove('etcd003', false);
  expect(await names()).toEqual(['etcd001', 'etcd002']);
});

it('the last but one is not spared, not even by force, when the other is dead', async () => {
  await etcd.kill(1);
  await expect(service.remove('etcd001', true)).rejects.toMatchObject({
    // Who asks may notice first that nothing can be read any more.
    code: expect.stringMatching(/^etcd\.(quorum|unavailable)$/),
  });
});
