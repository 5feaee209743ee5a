import { describe, expect, it } from 'vitest';
import { parseClusterConfig } from '../project/cluster-config.js';
import { describeStep, nodesOf, type Plan, planReplace, planRestore, planUp, renderPlan } from './plan.js';

const { nodes } = parseClusterConfig(`name: demo
nixos: "25.05"
nodes:
  control: [etcd001]
  cluster:
    registry001: { services: [services] }
    worker001: { services: [backends] }
    worker002: { services: [backends] }
  ingress: { ingress001: { services: [frontends] } }
`);
const all = new Set(nodes.map(({ name }) => name));
const none = new Set<string>();
const brief = (plan: Plan) =>
  plan.phases.map(
    ({ name, lanes }) =>
      `${name}: ${lanes.map((lane) => lane.map((step) => nodesOf(step).join() || '*').join('>')).join(' ')}`,
  );
/** One rollout of all: the order in it is the leader's. */
const deploys = ['deploy: etcd001,registry001,worker001,worker002,ingress001'];

describe('plan of up', () => {
  it('does everything where nothing is', () => {
    expect(brief(planUp(nodes, { servers: none, connected: none, registered: none }))).toEqual([
      'servers: etcd001 registry001 worker001 worker002 ingress001',
      'ssh: etcd001 registry001 worker001 worker002 ingress001',
      'control plane: etcd001',
      'controllers: *',
      'overlay: registry001>worker001>worker002>ingress001',
      'nodes: registry001 worker001 worker002 ingress001',
      'register: etcd001 registry001 worker001 worker002 ingress001',
      'agents: etcd001 registry001 worker001 worker002 ingress001',
      ...deploys,
    ]);
  });

  it('does what is left where half is there', () => {
    const connected = new Set(['etcd001', 'worker001']);
    const servers = new Set([...connected, 'worker002']);
    expect(brief(planUp(nodes, { servers, connected, registered: connected }))).toEqual([
      'servers: registry001 ingress001',
      'ssh: registry001 worker002 ingress001',
      'controllers: *',
      'overlay: registry001>worker001>worker002>ingress001',
      'nodes: registry001 worker002 ingress001',
      'register: registry001 worker002 ingress001',
      'agents: registry001 worker002 ingress001',
      ...deploys,
    ]);
  });

  it('only compares revisions where all is there', () => {
    expect(brief(planUp(nodes, { servers: all, connected: all, registered: all }))).toEqual([
      'controllers: *',
      'overlay: registry001>worker001>worker002>ingress001',
      ...deploys,
    ]);
  });

  it('can be read', () => {
    const text = renderPlan(planUp(nodes, { servers: all, connected: all, registered: all }));
    expect(text).toContain('roll out what differs on etcd001, registry001, worker001, worker002, ingress001');
    expect(describeStep({ kind: 'create', node: 'n', type: 'cpx22', location: 'hel1' })).toBe(
      'create n (cpx22, hel1)',
    );
  });
});

describe('plan of a replacement', () => {
  const running = { servers: all, connected: all, registered: all };
  const etcd001 = nodes.find(({ name }) => name === 'etcd001') as (typeof nodes)[number];
  const worker001 = nodes.find(({ name }) => name === 'worker001') as (typeof nodes)[number];
  const kinds = (plan: Plan) =>
    plan.phases.map(({ lanes }) => lanes.map((lane) => lane.map((step) => step.kind)));

  it('takes the member out before its server goes, and makes the node as `up` does', () => {
    const plan = planReplace(nodes, running, etcd001, { force: false, fresh: false });
    expect(kinds(plan)[0]).toEqual([['leave-etcd', 'unregister', 'delete']]);
    const gone = new Set([...all].filter((name) => name !== 'etcd001'));
    const made = planUp(nodes, { servers: gone, connected: gone, registered: gone });
    expect(plan.phases.slice(1)).toEqual(made.phases);
  });
  it('has no member of etcd for another kind of node', () => {
    const plan = planReplace(nodes, running, worker001, { force: false, fresh: false });
    expect(kinds(plan)[0]).toEqual([['unregister', 'delete']]);
  });
  it('leaves what was made since the former node went', () => {
    const plan = planReplace(nodes, running, etcd001, { force: false, fresh: true });
    expect(plan).toEqual(planUp(nodes, running));
  });
});

it('a restore: new data before anything stops, everything stopped before any swap, the epoch before any controller', () => {
  const { phases } = planRestore(nodes);
  expect(phases.map(({ name }) => name)).toEqual([
    'ssh',
    'new data',
    'stop',
    'swap',
    'etcd',
    'epoch',
    'controllers',
    'agents',
    'watchers',
  ]);
  const stopped = phases
    .find(({ name }) => name === 'stop')
    ?.lanes.flat()
    .map(describeStep);
  expect(stopped).toEqual(['stop etcd and the controller on etcd001']);
});
