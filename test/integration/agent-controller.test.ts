import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { credentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Controller } from '../../controller/server/server.js';
import { Outcome } from '../../proto/gen/nixinfra/v1/agent.js';
import { OperatorServiceClient } from '../../proto/gen/nixinfra/v1/operator.js';
import { type AgentHandle, type Cluster, startCluster } from '../harness/cluster.js';
import { asPromise, bundleOf, type Operator, operatorAt } from '../harness/operator.js';
import { until } from '../harness/until.js';

let cluster: Cluster;
let first: Controller;
let second: Controller;
let operator: Operator;
let agent: AgentHandle;

beforeAll(async () => {
  cluster = await startCluster(1);
  first = await cluster.controller('etcd001');
  second = await cluster.controller('etcd002');
  operator = await cluster.operator(second.port);
  agent = await cluster.agent('worker001', [first.port]);
});

afterAll(async () => {
  await cluster?.stop();
});

const connected = (name: string) => async () => {
  const node = await operator.node(name);
  return node?.connected ? node : undefined;
};

const resultOf = (name: string, revision: string, limitMs = 20_000) =>
  until(`a result of ${revision.slice(0, 8)} on ${name}`, limitMs, async () => {
    const node = await operator.node(name);
    return node?.result?.revision === revision ? node.result : undefined;
  });

describe('an agent and its controllers', () => {
  it('dials in and reports health; the other controller shows it', async () => {
    const node = await until('connected with health', 15_000, async () => {
      const seen = await operator.node('worker001');
      return seen?.connected && seen.health ? seen : undefined;
    });
    expect(node).toMatchObject({ controller: 'etcd001', agentVersion: 'harness' });
    expect(node.health?.memoryTotalBytes).toBeGreaterThan(0);
    expect((await operator.status()).etcd).toEqual([{ name: 'etcd001', healthy: true, leader: true }]);
  });

  it('applies a revision and reports the result', async () => {
    const bundle = bundleOf('worker001', { 'flake.nix': '{ a = 1; }', 'nodes/worker001.nix': '{}' });
    await operator.deploy(bundle);
    const result = await resultOf('worker001', bundle.manifest.revision);
    expect(result).toMatchObject({ outcome: Outcome.OUTCOME_APPLIED, message: '' });
    expect(readFileSync(join(agent.configDir, 'nodes/worker001.nix'), 'utf8')).toBe('{}');
    expect(readFileSync(join(agent.recordDir, 'calls'), 'utf8')).toMatch(
      /^build worker001\n[\s\S]*activate \w+ test\n/,
    );
  });

  it('does not even plan a configuration that does not build, and says why', async () => {
    const bundle = bundleOf('worker001', { 'flake.nix': 'syntax error' });
    await expect(operator.deploy(bundle)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: expect.stringContaining('worker001'),
    });
    expect(readFileSync(join(agent.configDir, 'flake.nix'), 'utf8')).toBe('{ a = 1; }');
  });

  it('has nothing to do for the revision that runs', async () => {
    const bundle = bundleOf('worker001', { 'flake.nix': '{ b = 1; }' });
    await operator.deploy(bundle);
    expect((await resultOf('worker001', bundle.manifest.revision)).outcome).toBe(Outcome.OUTCOME_APPLIED);
    expect((await operator.deploy(bundle)).nodes).toEqual([]);
  });
});

describe('who may do what', () => {
  it('refuses an operator call with the certificate of a node', async () => {
    const intruder = operatorAt(first.port, await cluster.authority.issue('worker001', 'node'));
    await expect(intruder.status()).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    intruder.close();
  });

  it('refuses a certificate of another cluster, and one that names nobody', async () => {
    for (const files of [
      await cluster.authority.issue('alice', 'operator', 'elsewhere'),
      await cluster.authority.issue('alice'),
    ]) {
      const intruder = operatorAt(first.port, files);
      await expect(intruder.status()).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
      intruder.close();
    }
  });

  it('refuses a caller without a certificate', async () => {
    const files = await cluster.authority.issue('nobody');
    const client = new OperatorServiceClient(
      `localhost:${first.port}`,
      credentials.createSsl(readFileSync(files.ca)),
    );
    await expect(asPromise((reply) => client.getStatus({}, reply))).rejects.toMatchObject({
      code: status.UNAVAILABLE,
    });
    client.close();
  });

  it('refuses an agent of another protocol version and says why', async () => {
    const old = await cluster.agent('worker009', [first.port], { protocolVersion: 99 });
    await until('the refusal in the log', 10_000, () => old.log().includes('the agent speaks version 99'));
    expect((await operator.node('worker009'))?.connected ?? false).toBe(false);
    await old.kill('SIGKILL');
  });

  it('refuses an agent that dials with the certificate of an operator', async () => {
    const lost = await cluster.agent('worker008', [first.port], { kind: 'operator' });
    await until('the refusal in the log', 10_000, () => lost.log().includes('may not call'));
    await lost.kill('SIGKILL');
  });
});

describe('bundles that are not acceptable', () => {
  it.each([
    ['a path that leaves the root', { '../evil.nix': '1' }],
    ['an absolute path', { '/etc/passwd': '1' }],
  ])('refuses %s', async (_, texts) => {
    const { manifest, blobs } = bundleOf('worker001', texts as Record<string, string>);
    await expect(operator.deploy({ manifest, blobs })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
  });

  it('refuses a blob with another hash and a manifest with another revision', async () => {
    const good = bundleOf('worker001', { 'flake.nix': 'x' });
    const wrong = bundleOf('worker001', { 'flake.nix': 'y' });
    const swapped = [{ sha256: good.blobs[0]?.sha256 ?? '', gzip: wrong.blobs[0]?.gzip ?? Buffer.alloc(0) }];
    await expect(operator.putBlobs(swapped)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    const forged = { ...good.manifest, revision: wrong.manifest.revision };
    await expect(operator.deploy({ manifest: forged, blobs: good.blobs })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
  });

  it('refuses a revision whose blobs are missing', async () => {
    const { manifest } = bundleOf('worker001', { 'flake.nix': 'never stored' });
    await expect(operator.deploy({ manifest, blobs: [] })).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
    });
  });
});

describe('an app on a node', () => {
  let server: Server;
  let works = true;
  const key = '/cluster/frontends/hello/instances/worker001';
  const unit = 'hello.service';

  beforeAll(async () => {
    server = createServer((_, answer) => {
      answer.writeHead(works ? 200 : 500).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const health = {
      kind: 'http',
      host: '127.0.0.1',
      port,
      path: '/ping',
      intervalMs: 200,
      timeoutMs: 1000,
      rise: 1,
      fall: 2,
      startGraceMs: 1000,
    };
    const app = {
      name: 'hello',
      group: 'frontends',
      unit,
      port: 11211,
      bindIp: '10.10.3.0',
      meta_data: { publish: { port: 11211 }, env_prefix: 'HELLO', env: {} },
      health,
    };
    agent.unit(unit, true);
    writeFileSync(join(agent.appsDir, 'hello.json'), JSON.stringify(app));
  });
  afterAll(() => {
    server.close();
  });

  const registered = () => until('registered', 20_000, () => cluster.etcd.store.get(key));
  const gone = (limitMs: number) =>
    until('gone', limitMs, async () => (await cluster.etcd.store.get(key)) === undefined);

  it('is registered under a lease while its unit runs and its check passes', async () => {
    const entry = await registered();
    expect(entry.value.toString()).toBe('{"ipv4":"10.10.3.0","node":"worker001","port":11211}');
    expect(entry.lease).not.toBe('0');
    const meta = await cluster.etcd.store.get('/cluster/frontends/hello/meta_data');
    expect(meta?.value.toString()).toBe('{"env":{},"env_prefix":"HELLO","publish":{"port":11211}}');
    expect((await operator.status()).apps).toMatchObject([
      { group: 'frontends', name: 'hello', port: 11211, instances: [{ leased: true }] },
    ]);
  });

  it('leaves when its check fails and comes back when it passes', async () => {
    await registered();
    works = false;
    await gone(5_000);
    works = true;
    await registered();
  });

  it('leaves within a second when its unit stops', async () => {
    await registered();
    agent.unit(unit, false);
    await gone(1_500);
    agent.unit(unit, true);
    await registered();
  });

  it('is put back when somebody deletes it, and after a restart of etcd', async () => {
    await registered();
    await cluster.etcd.store.delete(key);
    await registered();
    await cluster.etcd.kill(0);
    cluster.etcd.start(0);
    await cluster.etcd.healthy();
    await cluster.etcd.store.delete(key);
    await registered();
  });

  it('stays through a restart of the agent and goes with the lease when the agent is killed', async () => {
    await registered();
    await agent.kill('SIGTERM');
    expect(await cluster.etcd.store.get(key)).toBeDefined();
    agent.restart();
    await until('the agent is back', 15_000, connected('worker001'));
    await registered();
    await agent.kill('SIGKILL');
    await gone(30_000);
    agent.restart();
    await registered();
  });
});

describe('a controller that dies', () => {
  it('is replaced by the other one within seconds', async () => {
    const roaming = await cluster.agent('worker002', [first.port, second.port]);
    const node = await until('connected', 15_000, connected('worker002'));
    if (node.controller === 'etcd001') await first.stop();
    else await second.stop();
    const left = node.controller === 'etcd001' ? second : first;
    const name = node.controller === 'etcd001' ? 'etcd002' : 'etcd001';
    const survivor = await cluster.operator(left.port);
    const began = Date.now();
    await until(
      'connected to the other',
      15_000,
      async () => (await survivor.node('worker002'))?.controller === name,
    );
    expect(Date.now() - began).toBeLessThan(8_000);
    await roaming.kill('SIGKILL');
  });
});
