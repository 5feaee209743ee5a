/**
 * What the mesh does when a node, an app or a network breaks, with real parts and under load. Every request is in a ledger, and every
 * failure is printed with its cause and time. Each case heals what it broke and waits until all is as before.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { labExec, labVerb } from '../../lab/cli.js';
import { readStatus } from '../../lab/demo/cluster-view.js';
import { waitUntil } from '../../lab/demo/wait-until.js';
import { LabCluster, sixNodes } from './lab-cluster.js';
import { inRotation, instances, Load, rotation, type Verdict } from './mesh-probe.js';

/** The workers use the app too: three haproxies instead of one. */
const yaml = sixNodes('meshfaults').replaceAll('[backends, services]', '[frontends, backends, services]');
const lab = new LabCluster({ name: 'mesh-faults', network: '10.86.0.0/24', yaml });
const control = ['etcd001', 'etcd002', 'etcd003'];
const [probe = ''] = control;
const workers = ['worker001', 'worker002'];
const [worker, other] = ['worker001', 'worker002'];
const ingress = 'ingress001';
const haproxies = [ingress, ...workers];
const app = 'hello';

/** Life of an instance's lease, and how late its end may be. */
const LEASE_MS = 15_000 + 1_000;
/** From quorum until everything is right again. */
const REPAIR_MS = 15_000;
/** Two probes of hello's check (each a second after the other, two seconds long), and the way into haproxy. */
const HANG_MS = 6_000 + 1_000;

/** Load while `work` runs, which breaks something and heals it; then all is as before. */
async function underLoad(title: string, work: (load: Load) => Promise<void>): Promise<Verdict> {
  const load = new Load(lab.url);
  let verdict: Verdict | undefined;
  try {
    await load.goesOn(0.5);
    await work(load);
    await whole();
  } finally {
    verdict = await load.stop(title);
  }
  return verdict;
}

/** Both instances in etcd and in every haproxy, every agent connected. */
async function whole(): Promise<void> {
  await instances(probe, app, workers, 30_000);
  for (const server of workers) await inRotation(haproxies, app, server, true, 30_000);
  await lab.allConnected();
}

const cut = (node: string, ...from: string[]) => labVerb('cut', node, from);
const heal = (...nodes: string[]) => Promise.all(nodes.map((node) => labVerb('heal', node)));
const signal = (name: string) => labExec(worker, ['systemctl', 'kill', '-s', name, `${app}.service`]);

beforeAll(async () => {
  await lab.open();
  await lab.up();
  await whole();
});
afterAll(() => lab.close());
// A case that failed half way must not fail the next ones.
afterEach(async () => {
  await heal(...control, ...workers, ingress);
  await labVerb('start', worker);
  await signal('CONT');
  await lab.onNode(worker, 'systemctl', 'start', app);
  await whole();
});

describe('a worker loses its power', () => {
  it('no GET fails, POSTs only at once; its keys go with the lease; it comes back by itself', async () => {
    let cutMs = 0;
    const verdict = await underLoad('power cut', async (load) => {
      await load.fault(() => labVerb('kill', worker));
      cutMs = load.now();
      const routedMs = await inRotation([ingress, other], app, worker, false, 5_000);
      await instances(probe, app, [other], LEASE_MS);
      const keysMs = load.now();
      await waitUntil('status that shows it', async () =>
        (await readStatus(lab.demo.run)).nodes.some((node) => node.name === worker && !node.connected),
      );
      console.log(
        `power cut in ${cutMs} ms: out of rotation after ${routedMs} ms, keys gone after ${keysMs} ms`,
      );
      expect(keysMs).toBeLessThanOrEqual(LEASE_MS + cutMs);
      await labVerb('start', worker);
    });
    verdict.expectNoFailed('GET');
    verdict.expectNoFailed('POST', (begun) => begun <= cutMs + 2_000);
  });
});

describe('an app', () => {
  it('that is killed leaves every rotation within a second; no GET fails', async () => {
    // Its restart comes late, so that nothing but the mesh takes it out.
    const dropIn = `/run/systemd/system/${app}.service.d`;
    await lab.onNode(
      worker,
      'sh',
      '-c',
      `mkdir -p ${dropIn}; printf '[Service]\nRestartSec=5s\n' >${dropIn}/late.conf; systemctl daemon-reload`,
    );
    let killedMs = 0;
    const verdict = await underLoad('app killed', async (load) => {
      await load.fault(() => signal('KILL'));
      killedMs = load.now();
      await inRotation(haproxies, app, worker, false, 5_000);
      const routedMs = load.now();
      console.log(`app killed within ${killedMs} ms: out of every rotation after ${routedMs} ms`);
      expect(routedMs - killedMs).toBeLessThanOrEqual(1_000);
      await instances(probe, app, [other], 5_000);
    });
    await lab.onNode(worker, 'sh', '-c', `rm -r ${dropIn}; systemctl daemon-reload`);
    verdict.expectNoFailed('GET');
    verdict.expectNoFailed('POST', (begun, ended) => begun <= killedMs && ended >= 0);
  });

  it('that hangs is taken out by its check; what fails was inside', async () => {
    let outMs = 0;
    const verdict = await underLoad('app hangs', async (load) => {
      await load.fault(() => signal('STOP'));
      await inRotation(haproxies, app, worker, false, HANG_MS);
      outMs = load.now();
      console.log(`app hangs: out of every rotation after ${outMs} ms`);
      await instances(probe, app, [other], HANG_MS);
      await load.goesOn(2);
      await signal('CONT');
    });
    console.log(`app hangs: ${verdict.failed('GET')} GETs and ${verdict.failed('POST')} POSTs were inside`);
    for (const method of ['GET', 'POST'] as const) verdict.expectNoFailed(method, (begun) => begun <= outMs);
  });
});

describe('a worker that is cut', () => {
  it('from etcd serves on; with all of them cut the routes hold, and all is right again soon after', async () => {
    const verdict = await underLoad('workers cut from etcd', async (load) => {
      await load.fault(() => cut(worker, ...control));
      await instances(probe, app, [other], LEASE_MS);
      console.log(`worker cut from etcd: its instance ended after ${load.now()} ms`);
      expect(await lab.onNode(worker, 'systemctl', 'is-active', `${app}.service`)).toBe('active');
      await load.fault(() => cut(other, ...control));
      await instances(probe, app, [], LEASE_MS);
      console.log(`all workers cut from etcd: no instance after ${load.now()} ms`);
      await load.goesOn(5);
      for (const node of haproxies) expect(Object.keys(await rotation(node, app)), node).not.toEqual([]);
      await load.fault(() => heal(...workers));
      await instances(probe, app, workers, REPAIR_MS);
      console.log(`healed: instances back after ${load.now()} ms`);
    });
    verdict.expectNoFailed('GET');
    verdict.expectNoFailed('POST');
  });

  it('from the other nodes of the mesh is left out by their checks, and goes on for itself', async () => {
    let cutMs = 0;
    const verdict = await underLoad('worker cut from ingress and worker', async (load) => {
      await load.fault(() => cut(worker, other, ingress));
      cutMs = load.now();
      await Promise.all([
        inRotation([ingress, other], app, worker, false, 5_000),
        inRotation([worker], app, other, false, 5_000),
      ]);
      console.log(`cut in ${cutMs} ms: left out by the others after ${load.now()} ms`);
      const answer = await lab.onNode(worker, 'curl', '-sS', '--max-time', '2', 'http://127.0.0.1:11211/');
      expect(JSON.parse(answer)).toMatchObject({ node: worker });
      // To etcd it never was away.
      await instances(probe, app, workers, 1_000);
      await heal(worker);
    });
    verdict.expectNoFailed('GET');
    verdict.expectNoFailed('POST', (begun) => begun <= cutMs + 2_000);
  });
});

describe('an ingress that is cut', () => {
  it('from etcd serves what it knew; a change made meanwhile arrives after', async () => {
    const verdict = await underLoad('ingress cut from etcd', async (load) => {
      await load.fault(() => cut(ingress, ...control));
      await lab.onNode(worker, 'systemctl', 'stop', app);
      await instances(probe, app, [other], 5_000);
      await inRotation([other], app, worker, false, 5_000);
      // Long enough for every time limit of a connection that etcd keeps open.
      await load.goesOn(10);
      expect(Object.keys(await rotation(ingress, app)).sort()).toEqual(workers);
      await load.fault(() => heal(ingress));
      await waitUntil(
        'the change at the ingress',
        async () => Object.keys(await rotation(ingress, app)).join() === other,
        { deadlineMs: REPAIR_MS },
      );
      console.log(`healed: the change arrived after ${load.now()} ms`);
      await lab.onNode(worker, 'systemctl', 'start', app);
    });
    verdict.expectNoFailed('GET');
    verdict.expectNoFailed('POST');
  });

  it('from everything is not served from outside, and serves again when its cable is back', async () => {
    const asks = () =>
      lab.askApp().then(
        () => true,
        () => false,
      );
    await cut(ingress);
    expect(await asks()).toBe(false);
    await waitUntil('status that shows it', async () =>
      (await readStatus(lab.demo.run)).nodes.some((node) => node.name === ingress && !node.connected),
    );
    await heal(ingress);
    const { ms } = await waitUntil('an answer from outside', asks, { deadlineMs: REPAIR_MS });
    console.log(`cable back: an answer after ${Math.round(ms)} ms`);
    await whole();
  });
});
