/** A control node lost for good is replaced while the app serves; then etcd goes back to a snapshot, and everything agrees again. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readStatus } from '../../lab/demo/cluster-view.js';
import { type LedgerSummary, startLedger, summarise } from '../../lab/demo/ledger.js';
import { seeApp } from '../../lab/demo/steps.js';
import { waitUntil } from '../../lab/demo/wait-until.js';
import { expectProblem, LabCluster, sixNodes } from './lab-cluster.js';

const lab = new LabCluster({ name: 'control', network: '10.85.0.0/24', yaml: sixNodes('control') });
const workers = ['worker001', 'worker002'];
const lost = 'etcd002';
/** A short settle time; what is proved stays the same. */
const deploy = ['deploy', '--on', 'worker*', '--settle', '1s'];

/** A light load while `work` runs. */
async function underLoad(work: () => Promise<void>): Promise<LedgerSummary> {
  const ledger = startLedger(lab.url, 20);
  try {
    await work();
  } finally {
    await ledger.stop();
  }
  return summarise(await ledger.stop());
}

const status = () => readStatus(lab.demo.run);

async function everythingAgrees(): Promise<void> {
  await waitUntil(
    'every agent connected, three healthy members, both instances under leases',
    async () => {
      const { nodes, etcd, apps } = await status();
      const instances = apps.find(({ name }) => name === 'hello')?.instances ?? [];
      return (
        nodes.every(({ connected }) => connected) &&
        etcd.length === 3 &&
        etcd.every(({ healthy }) => healthy) &&
        instances.length === 2 &&
        instances.every(({ leased }) => leased)
      );
    },
    { deadlineMs: 60_000 },
  );
}

/** Names of etcd's members, as etcd itself tells them. */
async function members(): Promise<string[]> {
  const { stdout } = await lab.demo.run(['cluster', 'etcd', 'member list', '--target=etcd001']);
  return [...stdout.matchAll(/started, ([a-z0-9]+),/g)].map((match) => match[1] ?? '').sort();
}

beforeAll(async () => {
  await lab.open();
  await lab.up();
  await seeApp(lab.demo);
});
afterAll(() => lab.close());

it('a control node that lives is not replaced unless it is meant', async () => {
  expectProblem(await lab.attempt(['cluster', 'replace-node', lost]), 'node.alive', 1);
  expect(await members()).toEqual(['etcd001', 'etcd002', 'etcd003']);
});

it('a control node that is lost for good: one command, and three healthy members again', async () => {
  const load = await underLoad(async () => {
    await lab.demo.run(['lab', 'kill', lost]);
    await waitUntil('it counts as lost', async () => {
      const { nodes, etcd } = await status();
      return (
        etcd.some(({ name, healthy }) => name === lost && !healthy) &&
        nodes.some(({ name, connected }) => name === lost && !connected)
      );
    });
    await lab.succeed(['cluster', 'replace-node', lost], { limitMs: 150_000 });
    await everythingAgrees();
  });
  console.log(
    `${load.requests} requests, slowest ${load.slowest} ms, failed: ${JSON.stringify(load.causes)}`,
  );
  expect(load.causes).toEqual({});
  expect(load.requests).toBeGreaterThan(100);
  expect(await members()).toEqual(['etcd001', 'etcd002', 'etcd003']);
});

it('a snapshot restored: agents take orders again, nothing is repaired by hand', async () => {
  const file = join(lab.scratch, 'snapshot.db');
  await lab.succeed(['etcd', 'snapshot', file]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  lab.wantVersion('after', ...workers);
  await lab.succeed(deploy);
  await lab.serves('after');

  expectProblem(
    await lab.attempt(['etcd', 'restore', join(lab.demo.project, 'cluster.yaml'), '--yes']),
    'etcd.snapshot',
    2,
  );
  const load = await underLoad(async () => {
    const { output } = await lab.succeed(['etcd', 'restore', file, '--yes'], { limitMs: 150_000 });
    console.log(output);
    await everythingAgrees();
  });
  console.log(
    `${load.requests} requests, slowest ${load.slowest} ms, failed: ${JSON.stringify(load.causes)}`,
  );
  // The nodes run what they ran: a restore changes what is known, not what is.
  await lab.serves('after');
  lab.wantVersion('later', ...workers);
  await lab.succeed(deploy);
  await lab.serves('later');
  expect(load.causes).toEqual({});
  expect(await members()).toEqual(['etcd001', 'etcd002', 'etcd003']);
});
