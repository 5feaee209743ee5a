import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Outcome } from '../../proto/gen/nixinfra/v1/agent.js';
import { type AgentHandle, type Cluster, startCluster } from '../harness/cluster.js';
import { bundleOf, type Operator } from '../harness/operator.js';
import { until } from '../harness/until.js';

let cluster: Cluster;
let operator: Operator;
let agent: AgentHandle;

const hold = (name: string) => writeFileSync(join(agent.recordDir, name), '');
const release = (name: string) => rmSync(join(agent.recordDir, name));
const calls = () => readFileSync(join(agent.recordDir, 'calls'), 'utf8').trim().split('\n');
const outcomeOf = (revision: string) =>
  until('the result', 20_000, async () => {
    const result = (await operator.node('worker001'))?.result;
    return result?.revision === revision ? result.outcome : undefined;
  });

beforeAll(async () => {
  cluster = await startCluster(1);
  const controller = await cluster.controller('etcd001');
  operator = await cluster.operator(controller.port);
  agent = await cluster.agent('worker001', [controller.port]);
  const base = bundleOf('worker001', { 'flake.nix': 'base' });
  await operator.deploy(base);
  expect(await outcomeOf(base.manifest.revision)).toBe(Outcome.OUTCOME_APPLIED);
});

afterAll(async () => {
  await cluster?.stop();
});

describe('an agent that dies in the middle of a revision', () => {
  it('takes up the switch that went on without it, and does not start it again', async () => {
    hold('hold-switch');
    const bundle = bundleOf('worker001', { 'flake.nix': 'second' });
    await operator.deploy(bundle);
    await until('the switch', 10_000, () => calls().filter((line) => line.startsWith('switch')).length === 2);
    await agent.kill('SIGKILL');
    release('hold-switch');
    agent.restart();
    expect(await outcomeOf(bundle.manifest.revision)).toBe(Outcome.OUTCOME_APPLIED);
    expect(calls().filter((line) => line.startsWith('switch'))).toHaveLength(2);
  });

  it('puts the configuration back when it died before the switch, and then applies what is still ordered', async () => {
    hold('hold-build');
    const builds = calls().length;
    const bundle = bundleOf('worker001', { 'flake.nix': 'third' });
    await operator.deploy(bundle);
    await until('the build', 10_000, () => calls().length > builds);
    expect(readFileSync(join(agent.configDir, 'flake.nix'), 'utf8')).toBe('third');
    await agent.kill('SIGKILL');
    agent.restart();
    await until(
      'the former configuration, or already the new build',
      10_000,
      () => calls().length > builds + 1,
    );
    release('hold-build');
    expect(await outcomeOf(bundle.manifest.revision)).toBe(Outcome.OUTCOME_APPLIED);
    expect(readFileSync(join(agent.configDir, 'flake.nix'), 'utf8')).toBe('third');
    expect(readFileSync(`${agent.configDir}.previous/flake.nix`, 'utf8')).toBe('second');
  });

  it('skips an order that a newer one replaced while it waited', async () => {
    hold('hold-build');
    const builds = calls().length;
    const [running, skipped, last] = ['fourth', 'fifth', 'sixth'].map((text) =>
      bundleOf('worker001', { 'flake.nix': text }),
    );
    if (!running || !skipped || !last) throw new Error('unreachable');
    await operator.deploy(running);
    await until('the build', 10_000, () => calls().length > builds);
    await operator.deploy(skipped);
    await operator.deploy(last);
    release('hold-build');
    expect(await outcomeOf(last.manifest.revision)).toBe(Outcome.OUTCOME_APPLIED);
    expect(
      calls()
        .slice(builds)
        .filter((line) => line.startsWith('build')).length,
    ).toBeLessThanOrEqual(3);
    expect(existsSync(`${agent.configDir}.next`)).toBe(false);
  });
});

describe('overlay subnets', () => {
  it('are the same at every call and never shared, and go with the node', async () => {
    const { asPromise } = await import('../harness/operator.js');
    const reserve = (node: string, ipv4: string) =>
      asPromise<{ subnet: string }>((reply) => operator.client.reserveOverlay({ node, ipv4 }, reply));
    const nodes = Array.from({ length: 8 }, (_, i) => [`node${i}`, `10.0.0.${i + 1}`] as const);
    const subnets = (await Promise.all(nodes.map(([node, ip]) => reserve(node, ip)))).map(
      (answer) => answer.subnet,
    );
    expect([...new Set(subnets)].sort()).toEqual(nodes.map((_, i) => `10.10.${i}.0/24`));
    expect((await reserve('node3', '10.0.0.4')).subnet).toBe(subnets[3]);
    await asPromise((reply) =>
      operator.client.registerNode({ node: 'node3', ipv4: '10.0.0.4', services: ['frontends'] }, reply),
    );
    const removed = await asPromise<{ keys: number }>((reply) =>
      operator.client.removeNode({ node: 'node3' }, reply),
    );
    expect(removed.keys).toBe(3);
    expect((await reserve('node9', '10.0.0.9')).subnet).toBe(subnets[3]);
  });
});
