/**
 * etcd without a quorum for longer than a lease, and its return, with 50 agents of which each keeps two instances. Nothing is torn down,
 * everything is right within 15 s of quorum, and the agents do not all come at the same moment.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { agentDefaults } from '../../agent/defaults.js';
import { type AppNode, type AppServer, appNode, startAppServer } from '../harness/app-node.js';
import { makeAuthority } from '../harness/certificates.js';
import { type EtcdHarness, startEtcd } from '../harness/etcd.js';
import { until } from '../harness/until.js';

const agents = 50;
const prefix = '/cluster/frontends/';

let dir: string;
let etcd: EtcdHarness;
let server: AppServer;
const nodes: AppNode[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'nix-infra-outage-'));
  const authority = await makeAuthority(join(dir, 'ca'), 'harness');
  etcd = await startEtcd(join(dir, 'etcd'), authority, 3);
  server = await startAppServer();
  for (let at = 1; at <= agents; at++) {
    const node = appNode(dir, `worker${String(at).padStart(3, '0')}`, etcd.config);
    // The check is not what is measured here.
    for (const app of ['one', 'two']) node.declare(app, [server.port], { health: { kind: 'none' } });
    nodes.push(node);
  }
  await Promise.all(nodes.map((node) => node.start()));
}, 120_000);
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await server?.close();
  await etcd?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Keys of instances that hang on a lease, and of those that are remembered. */
async function registered(): Promise<{ leased: string[]; last: string[] }> {
  const { entries } = await etcd.store.getPrefix(prefix);
  const named = (part: string) => entries.filter(({ key }) => key.includes(part));
  return {
    leased: named('/instances/')
      .filter(({ lease }) => lease !== '0')
      .map(({ key }) => key),
    last: named('/last/').map(({ key }) => key),
  };
}

/** etcd's revision at which each instance came to be: another one after it was gone. */
async function creations(): Promise<Map<string, number>> {
  const { entries } = await etcd.store.getPrefix(prefix);
  const instances = entries.filter(({ key }) => key.includes('/instances/'));
  return new Map(instances.map(({ key, createRevision }) => [key, createRevision]));
}

/** How many of these times lie in the fullest window of so many milliseconds. */
function peak(times: readonly number[], windowMs: number): number {
  return Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + windowMs).length));
}

it('comes back within 15 s of quorum, without a stampede, and does what was decided meanwhile', async () => {
  await until('all are registered', 60_000, async () => {
    const { leased, last } = await registered();
    return leased.length === 2 * agents && last.length === 2 * agents;
  });
  /** When each instance came under another lease. */
  const puts = new Map<string, number>();
  const leases = new Map<string, string>();
  const watch = etcd.store.watchPrefix(prefix, ({ key, entry }) => {
    if (!entry || !key.includes('/instances/')) return;
    if (leases.has(key) && leases.get(key) !== entry.lease) puts.set(key, Date.now());
    leases.set(key, entry.lease);
  });
  await watch.ready;
  const created = await creations();
  puts.clear();
  const began = Date.now();
  await Promise.all([etcd.kill(1), etcd.kill(2)]);
  const [first, second] = nodes as [AppNode, AppNode];
  await until('the agents have noticed', 60_000, () =>
    nodes.every((node) => node.supervisor.snapshot().every((instance) => !instance.registered)),
  );
  // Longer than any lease; this is the time that is tested, not one to hope in.
  await pause(Math.max(0, began + (agentDefaults.leaseTtlS + 10) * 1_000 - Date.now()));
  expect(nodes.flatMap((node) => node.supervisor.snapshot()).every(({ state }) => state === 'healthy')).toBe(
    true,
  );
  first.unit('one.service', 'failed');
  second.undeclare('two');
  await second.supervisor.reload();
  await until('its death is seen', 5_000, () =>
    first.supervisor.snapshot().some((one) => one.app === 'one' && one.state === 'stopped'),
  );
  const gone = [`${prefix}one/instances/${first.name}`, `${prefix}two/instances/${second.name}`];

  etcd.start(1);
  etcd.start(2);
  // Quorum is when a read is answered that needs one.
  await etcd.healthy();
  const quorum = Date.now();
  await until('all that shall be are under new leases, and no other', 30_000, async () => {
    const { leased, last } = await registered();
    const right = leased.length === 2 * agents - 2 && last.length === leased.length;
    const told = nodes.flatMap((node) => node.supervisor.snapshot()).filter(({ registered: is }) => is);
    return right && told.length === leased.length;
  });
  const rightAfter = Date.now() - quorum;
  watch.close();
  const times = [...puts.values()].map((at) => at - quorum).sort((a, b) => a - b);
  const spread = (times.at(-1) ?? 0) - (times[0] ?? 0);
  const fullest = peak(times, 500);
  console.log(
    `${agents} agents, ${times.length} puts: right ${rightAfter} ms after quorum, puts from ${times[0]} to ${times.at(-1)} ms (median ${times[times.length >> 1]}), fullest 500 ms: ${fullest}, fullest 100 ms: ${peak(times, 100)}`,
  );
  expect(rightAfter).toBeLessThan(15_000);
  // Nothing but what left deliberately was ever gone, so no route flaps.
  for (const key of gone) created.delete(key);
  expect(await creations()).toEqual(created);
  // No stampede: most keys are put by far outside of the fullest half second.
  expect(times.length).toBeGreaterThan(agents);
  expect(fullest / times.length).toBeLessThan(0.5);
  expect(spread).toBeGreaterThan(2_000);
}, 180_000);
