import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Cluster, clusterName, startCluster } from '../harness/cluster.js';
import { freePort } from '../harness/etcd.js';
import { until } from '../harness/until.js';

const dist = join(dirname(fileURLToPath(import.meta.url)), '../../dist');
let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster(1);
});
afterAll(async () => {
  await cluster?.stop();
});

it('the bundled daemons run from an empty folder, find each other and end on SIGTERM', async () => {
  // `npm test` builds them first; without them there is nothing to prove.
  expect(existsSync(join(dist, 'agent.cjs')) && existsSync(join(dist, 'controller.cjs'))).toBe(true);
  const cwd = join(cluster.dir, 'empty');
  mkdirSync(cwd);
  const port = await freePort();
  const etcd = cluster.etcd.config;
  const start = (name: string, config: object) => {
    const file = join(cluster.dir, `${name}.json`);
    writeFileSync(file, JSON.stringify(config));
    const child = spawn(process.execPath, [join(dist, `${name}.cjs`), '--config', file], {
      cwd,
      stdio: 'inherit',
    });
    return { child, exited: once(child, 'exit') };
  };
  const controllerTls = await cluster.authority.issue('etcd001', 'controller');
  const listen = `127.0.0.1:${port}`;
  const controller = start('controller', {
    cluster: clusterName,
    name: 'etcd001',
    listen,
    etcd,
    tls: controllerTls,
  });
  const agentTls = await cluster.authority.issue('worker001', 'node');
  const folders = {
    appsDir: join(cwd, 'apps.d'),
    stateDir: join(cwd, 'state'),
    configDir: join(cwd, 'nixos'),
  };
  const agent = start('agent', {
    cluster: clusterName,
    node: 'worker001',
    controllers: [`localhost:${port}`],
    tls: agentTls,
    etcd,
    ...folders,
  });
  const operator = await cluster.operator(port);
  await until('the agent is connected', 15_000, async () =>
    (await operator.status()).nodes.some((node) => node.connected),
  );
  for (const { child, exited } of [agent, controller]) {
    const asked = Date.now();
    child.kill('SIGTERM');
    expect((await exited)[0]).toBe(0);
    expect(Date.now() - asked).toBeLessThan(4_000);
  }
});
