/** The controller's side of the agent's stream, with real etcd and controllers; the agent is a script of this test. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, status } from '@grpc/grpc-js';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { controllerDefaults } from '../../controller/defaults.js';
import { type Controller, startController } from '../../controller/server/server.js';
import { BlobStore } from '../../controller/store/blobs.js';
import { keys } from '../../controller/store/keys.js';
import {
  AgentServiceClient,
  BarrierKind,
  Outcome,
  type SessionRequest,
  type SessionResponse,
} from '../../proto/gen/nixinfra/v1/agent.js';
import { PROTOCOL_VERSION } from '../../shared/protocol.js';
import { type CertificateFiles, type HarnessAuthority, makeAuthority } from '../harness/certificates.js';
import { type EtcdHarness, freePort, startEtcd } from '../harness/etcd.js';
import { bundleOf } from '../harness/operator.js';
import { until } from '../harness/until.js';

type Event = NonNullable<SessionRequest['event']>;
type Command = NonNullable<SessionResponse['command']>;
type Of<Case extends Command['$case']> = Extract<Command, { $case: Case }>['value'];

const cluster = 'harness';
let dir: string;
let authority: HarnessAuthority;
let etcd: EtcdHarness;
let first: Controller;
let second: Controller;
const open: { close(): void }[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'nix-infra-session-'));
  authority = await makeAuthority(join(dir, 'ca'), cluster);
  etcd = await startEtcd(join(dir, 'etcd'), authority, 1);
  first = await controller('etcd001');
  second = await controller('etcd002');
});
afterAll(async () => {
  await Promise.all([first, second].map((one) => one?.stop()));
  await etcd?.stop();
  rmSync(dir, { recursive: true, force: true });
});
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function controller(name: string): Promise<Controller> {
  const config = {
    cluster,
    name,
    listen: `127.0.0.1:${await freePort()}`,
    etcd: etcd.config,
    tls: await authority.issue(name, 'controller'),
    etcdMembers: [],
  };
  return startController(config, pino({ level: process.env.HARNESS_LOG ?? 'silent' }));
}

async function dial(node: string, { port }: Controller) {
  const files: CertificateFiles = await authority.issue(node, 'node');
  const client = new AgentServiceClient(
    `localhost:${port}`,
    credentials.createSsl(readFileSync(files.ca), readFileSync(files.key), readFileSync(files.cert)),
  );
  const stream = client.session();
  const heard: Command[] = [];
  const ended = new Promise<number>((resolve) => {
    stream.on('error', (error) => resolve((error as { code?: number }).code ?? -1));
    stream.on('end', () => resolve(status.OK));
  });
  stream.on('data', ({ command }: SessionResponse) => command && heard.push(command));
  const say = (event: Event) => void stream.write({ event });
  say({
    $case: 'hello',
    value: {
      protocolVersion: PROTOCOL_VERSION,
      agentVersion: 'script',
      bootId: '',
      revision: '',
      system: '',
    },
  });
  const all = <Case extends Command['$case']>(which: Case) =>
    heard.filter((command) => command.$case === which).map((command) => command.value as Of<Case>);
  const agent = {
    say,
    ended,
    all,
    next: async <Case extends Command['$case']>(which: Case, count = 1) => {
      const look = () => {
        const value = all(which)[count - 1];
        return value && { value };
      };
      return (await until(`${which} number ${count}`, 10_000, look)).value;
    },
    fetch: (hashes: string[]) =>
      new Promise<string[]>((resolve, reject) => {
        const got: string[] = [];
        client
          .fetchBlobs({ sha256: hashes })
          .on('data', ({ sha256 }: { sha256: string }) => got.push(sha256))
          .on('error', reject)
          .on('end', () => resolve(got));
      }),
    close: () => {
      stream.cancel();
      client.close();
    },
  };
  open.push(agent);
  await agent.next('welcome');
  return agent;
}

const options = { drainMs: 0, settleMs: 0, confirmMs: 9_000, force: false };
let serial = 0;

/** Stores a bundle of the node and returns it; each is another one. */
async function stored(node: string) {
  serial += 1;
  const bundle = bundleOf(node, { 'flake.nix': `{ n = ${serial}; }`, [`own-${serial}.nix`]: `${serial}` });
  const blobs = new BlobStore(etcd.store);
  for (const { sha256, gzip } of bundle.blobs) await blobs.put(sha256, gzip);
  await blobs.putManifest(bundle.manifest);
  return bundle;
}

const order = (node: string, revision: string, id: string, token = 7) =>
  etcd.store.put(keys.desired(node), JSON.stringify({ revision, order: id, token, options }));

async function json(key: string): Promise<unknown> {
  const entry = await etcd.store.get(key);
  return entry && JSON.parse(entry.value.toString());
}

describe('orders', () => {
  it('are sent on connect and on every change, with token, change and options', async () => {
    const bundle = await stored('w1');
    await order('w1', bundle.manifest.revision, 'r-1/w1/1');
    const agent = await dial('w1', first);
    const sent = await agent.next('desired');
    const entry = await etcd.store.get(keys.desired('w1'));
    expect(sent).toEqual({
      manifest: bundle.manifest,
      order: 'r-1/w1/1',
      epoch: 0,
      token: 7,
      change: entry?.modRevision,
      options: {
        drainAckMs: controllerDefaults.drainAckMs,
        // 0 would be the agent's default.
        drainMs: 1,
        settleMs: 0,
        confirmMs: 9_000,
        routeMs: controllerDefaults.routeMs,
        force: false,
      },
    });
    await order('w1', bundle.manifest.revision, 'r-1/w1/2', 8);
    const again = await agent.next('desired', 2);
    expect(again).toMatchObject({ order: 'r-1/w1/2', token: 8 });
    expect(again.change).toBeGreaterThan(sent.change);
    expect(agent.all('prepare')).toEqual([]);
  });

  it('of another kind are preparations, whose answer is stored', async () => {
    const bundle = await stored('w2');
    const agent = await dial('w2', first);
    await etcd.store.put(
      keys.prepare('w2'),
      JSON.stringify({ request: 'q1', revision: bundle.manifest.revision }),
    );
    expect(await agent.next('prepare')).toEqual({ request: 'q1', manifest: bundle.manifest });
    const { revision } = bundle.manifest;
    const answer = { request: 'q1', revision, ok: true, message: '', log: [] };
    const systems = { system: '/new', currentSystem: '/old', changes: undefined, durationMs: 5 };
    agent.say({ $case: 'prepared', value: { ...answer, ...systems } });
    await until('stored', 20_000, () => json(keys.prepared('w2')));
    expect(await json(keys.prepared('w2'))).toMatchObject({ request: 'q1', ok: true, system: '/new' });
  });

  it('that cannot be read do not keep a later one back', async () => {
    const bundle = await stored('w3');
    const agent = await dial('w3', first);
    await etcd.store.put(keys.desired('w3'), 'nonsense');
    await order('w3', 'no such revision', 'r-1/w3/1');
    await order('w3', bundle.manifest.revision, 'r-1/w3/2');
    expect((await agent.next('desired')).order).toBe('r-1/w3/2');
  });

  it('let a node read the files of what it runs and of what it prepares, and no others', async () => {
    const [runs, prepares, neither] = [await stored('w4'), await stored('w4'), await stored('w4')];
    await order('w4', runs.manifest.revision, 'r-1/w4/1');
    await etcd.store.put(
      keys.prepare('w4'),
      JSON.stringify({ request: 'q', revision: prepares.manifest.revision }),
    );
    const agent = await dial('w4', first);
    const mine = [...runs.blobs, ...prepares.blobs].map((blob) => blob.sha256);
    expect(await agent.fetch(mine)).toEqual(mine);
    await expect(agent.fetch([neither.blobs[0]?.sha256 ?? ''])).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
  });
});

describe('a proof', () => {
  it('is confirmed only for the order that etcd holds', async () => {
    const bundle = await stored('w5');
    await order('w5', bundle.manifest.revision, 'r-1/w5/2');
    const agent = await dial('w5', first);
    agent.say({ $case: 'proven', value: { order: 'r-1/w5/1', nonce: 'old' } });
    // The answer to a barrier comes after it on the same stream, so there is something to wait for.
    agent.say({
      $case: 'barrier',
      value: { order: 'x', kind: BarrierKind.BARRIER_KIND_DROPPED, instances: [] },
    });
    await agent.next('barrierReply');
    agent.say({ $case: 'proven', value: { order: 'r-1/w5/2', nonce: 'n' } });
    expect(await agent.next('confirm')).toEqual({ order: 'r-1/w5/2', nonce: 'n' });
    expect(agent.all('confirm')).toHaveLength(1);
  });
});

const noMesh = { readable: false, servers: [], revision: 0, seenRevision: 0, warnings: [] };

describe('a barrier', () => {
  const instance = { group: 'frontends', app: 'hello', id: 'm1', address: '10.10.1.0:80' };
  const mesh = (up?: boolean): Event => ({
    $case: 'mesh',
    value: {
      ...noMesh,
      readable: true,
      servers: up === undefined ? [] : [{ backend: 'hello', server: 'm1', address: '10.10.1.0:80', up }],
    },
  });
  const ask = (kind: BarrierKind): Event => ({
    $case: 'barrier',
    value: { order: 'o', kind, instances: [instance] },
  });
  const waiting = (agent: Awaited<ReturnType<typeof dial>>) =>
    agent.all('barrierReply').map((reply) => (reply.reached ? 'reached' : reply.waiting.join(' ')));
  const inEtcd = (node: string, servers: number) =>
    until(`the mesh of ${node}`, 20_000, async () => {
      const value = (await json(keys.mesh(node))) as { servers?: unknown[] } | undefined;
      return (value?.servers?.length ?? 0) === servers;
    });

  beforeEach(async () => {
    for (const [node, services] of [
      ['m1', ['frontends']],
      ['m2', ['frontends', 'backends']],
      ['m3', ['backends']],
    ] as const)
      await etcd.store.put(
        keys.clusterNode(node),
        JSON.stringify({ name: node, ipv4: '10.0.0.1', services }),
      );
  });

  it('is reached when the last subscribed haproxy took notice, whichever controller holds its node', async () => {
    const [one, two, three] = [await dial('m1', first), await dial('m2', second), await dial('m3', second)];
    for (const agent of [one, two, three]) agent.say(mesh(true));
    for (const node of ['m1', 'm2', 'm3']) await inEtcd(node, 1);
    one.say(ask(BarrierKind.BARRIER_KIND_DROPPED));
    await one.next('barrierReply');
    expect(waiting(one)).toEqual(['m1 m2']);
    two.say(mesh());
    await one.next('barrierReply', 2);
    one.say(mesh());
    await one.next('barrierReply', 3);
    expect(waiting(one)).toEqual(['m1 m2', 'm1', 'reached']);

    one.say(ask(BarrierKind.BARRIER_KIND_SERVED));
    await one.next('barrierReply', 4);
    one.say(mesh(true));
    await one.next('barrierReply', 5);
    two.say(mesh(false));
    await inEtcd('m2', 1);
    two.say(mesh(true));
    await one.next('barrierReply', 6);
    expect(waiting(one).slice(3)).toEqual(['m1 m2', 'm2', 'reached']);
  });

  it('gives way to a newer one of the same node', async () => {
    const [one, two] = [await dial('m1', first), await dial('m2', second)];
    for (const agent of [one, two]) agent.say(mesh(true));
    for (const node of ['m1', 'm2']) await inEtcd(node, 1);
    one.say(ask(BarrierKind.BARRIER_KIND_DROPPED));
    one.say(ask(BarrierKind.BARRIER_KIND_SERVED));
    await until('the second is reached', 20_000, () => waiting(one).includes('reached'));
    for (const agent of [one, two]) agent.say(mesh());
    for (const node of ['m1', 'm2']) await inEtcd(node, 0);
    // Its answer comes after both changes, so the first one had its chance.
    one.say(ask(BarrierKind.BARRIER_KIND_DROPPED));
    const reached = () =>
      one
        .all('barrierReply')
        .filter((reply) => reply.kind === BarrierKind.BARRIER_KIND_DROPPED && reply.reached);
    await until('the third is reached', 20_000, () => reached().length > 0);
    expect(reached()).toHaveLength(1);
  });

  it('does not wait for a node without a haproxy, and waits for one that lost it', async () => {
    const [one, two] = [await dial('m1', first), await dial('n9', second)];
    await etcd.store.put(
      keys.clusterNode('n9'),
      JSON.stringify({ name: 'n9', ipv4: '10.0.0.9', services: ['frontends'] }),
    );
    one.say(mesh());
    two.say({ $case: 'mesh', value: noMesh });
    await until('m1 is heard', 20_000, async () => {
      one.say(ask(BarrierKind.BARRIER_KIND_DROPPED));
      return waiting(one).at(-1) === 'reached' || waiting(one).at(-1) === 'm2';
    });
    expect(await json(keys.mesh('n9'))).toBeUndefined();
    two.say(mesh());
    await until('n9 has one', 20_000, () => json(keys.mesh('n9')));
    two.say({ $case: 'mesh', value: noMesh });
    await until('n9 lost it', 20_000, async () => {
      one.say(ask(BarrierKind.BARRIER_KIND_DROPPED));
      return waiting(one).at(-1)?.includes('n9');
    });
  });
});

describe('a session', () => {
  const result = (id: string): Event => ({
    $case: 'result',
    value: {
      revision: 'r',
      order: id,
      outcome: Outcome.OUTCOME_APPLIED,
      message: '',
      log: [],
      system: '/s',
      durationMs: 1,
    },
  });
  const resultIn = async (node: string) =>
    ((await json(keys.status(node))) as { result?: { order?: string } } | undefined)?.result?.order;

  it('that was superseded at another controller ends and writes nothing any more', async () => {
    const former = await dial('s1', first);
    former.say(result('a'));
    await until('told', 20_000, async () => (await resultIn('s1')) === 'a');
    const newer = await dial('s1', second);
    newer.say(result('b'));
    await until('told', 20_000, async () => (await resultIn('s1')) === 'b');
    former.say(result('late'));
    expect(await former.ended).toBe(status.ABORTED);
    expect(await resultIn('s1')).toBe('b');
    expect(await json(keys.session('s1'))).toMatchObject({ controller: 'etcd002' });
  });

  it('supersedes one of a controller whose clock is ahead', async () => {
    const sinceMs = Date.now() + 3_600_000;
    await etcd.store.put(keys.session('s2'), JSON.stringify({ controller: 'etcd003', sinceMs }));
    const agent = await dial('s2', first);
    agent.say(result('a'));
    await until('told', 20_000, async () => (await resultIn('s2')) === 'a');
    expect(await json(keys.session('s2'))).toEqual({ controller: 'etcd001', sinceMs: sinceMs + 1 });
  });

  it('tells again what it told when etcd lost its session key', async () => {
    const agent = await dial('s3', first);
    agent.say({ $case: 'mesh', value: { ...noMesh, readable: true } });
    const told = await until('told', 20_000, () => etcd.store.get(keys.mesh('s3')));
    await etcd.store.delete(keys.session('s3'));
    await until('told again', 120_000, async () => {
      const again = await etcd.store.get(keys.mesh('s3'));
      return (again?.modRevision ?? 0) > told.modRevision;
    });
  });
});
