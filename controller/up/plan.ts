/** What `up` is going to do, as data: computed from what is wanted and what is there, printed by --plan, run by execute.ts. */
import type { NodeConfig } from '../project/cluster-config.js';

export type Step =
  | { kind: 'create'; node: string; type: string; location: string }
  | { kind: 'reach'; node: string }
  | { kind: 'bootstrap'; node: string }
  | { kind: 'await-controller' }
  | { kind: 'reserve-overlay'; node: string }
  | { kind: 'register'; node: string }
  | { kind: 'await-agent'; node: string }
  /** Its member leaves etcd; `force`: although it is healthy. */
  | { kind: 'leave-etcd'; node: string; force: boolean }
  | { kind: 'unregister'; node: string }
  | { kind: 'delete'; node: string }
  | RestoreStep
  /** One rollout of all these; which of them change, and in which order, is the leader's decision. */
  | { kind: 'deploy'; nodes: readonly string[] };

/** A part of putting a snapshot in etcd's place (restore.ts). */
export interface RestoreStep {
  kind: 'restore';
  node: string;
  what:
    | 'reach'
    | 'prepare'
    | 'stop'
    | 'swap'
    | 'start-etcd'
    | 'raise-epoch'
    | 'start-controller'
    | 'restart-watchers';
}

export type PhaseName =
  | 'leave'
  | 'new data'
  | 'stop'
  | 'swap'
  | 'etcd'
  | 'epoch'
  | 'watchers'
  | 'servers'
  | 'ssh'
  | 'control plane'
  | 'controllers'
  | 'overlay'
  | 'nodes'
  | 'register'
  | 'agents'
  | 'deploy';

/** Lanes run at the same time; the steps of one lane run one after the other. */
export interface Phase {
  name: PhaseName;
  lanes: readonly (readonly Step[])[];
}

export interface Plan {
  phases: readonly Phase[];
}

/** What is there. */
export interface Observed {
  /** Names of servers that exist. */
  servers: ReadonlySet<string>;
  /** Nodes whose agent holds a session. */
  connected: ReadonlySet<string>;
  /** Nodes that are registered with the address and groups they shall have. */
  registered: ReadonlySet<string>;
}

/**
 * The way from what is there to what is wanted. Empty phases are left out. Every node is a part of `deploy`, because
 * its revision is known only when all addresses are; a node that runs its revision already is not touched.
 */
export function planUp(nodes: readonly NodeConfig[], observed: Observed): Plan {
  const fresh = nodes.filter(({ name }) => !observed.connected.has(name));
  const control = fresh.filter(({ kind }) => kind === 'control');
  const others = fresh.filter(({ kind }) => kind !== 'control');
  const each = (
    chosen: readonly NodeConfig[],
    kind: 'reach' | 'bootstrap' | 'reserve-overlay' | 'register' | 'await-agent',
  ) => chosen.map(({ name }): Step[] => [{ kind, node: name }]);

  const phases: Phase[] = [
    {
      name: 'servers',
      lanes: nodes
        .filter(({ name }) => !observed.servers.has(name))
        .map(({ name, type, location }) => [{ kind: 'create', node: name, type, location }]),
    },
    { name: 'ssh', lanes: each(fresh, 'reach') },
    { name: 'control plane', lanes: each(control, 'bootstrap') },
    { name: 'controllers', lanes: [[{ kind: 'await-controller' }]] },
    // One after the other: each takes the lowest free subnet, and a cluster is easier to read in order.
    {
      name: 'overlay',
      lanes: [
        nodes
          .filter(({ kind }) => kind !== 'control')
          .map(({ name }) => ({ kind: 'reserve-overlay', node: name })),
      ],
    },
    { name: 'nodes', lanes: each(others, 'bootstrap') },
    {
      name: 'register',
      lanes: each(
        nodes.filter(({ name }) => !observed.registered.has(name)),
        'register',
      ),
    },
    { name: 'agents', lanes: each(fresh, 'await-agent') },
    { name: 'deploy', lanes: [[{ kind: 'deploy', nodes: nodes.map(({ name }) => name) }]] },
  ];
  return { phases: phases.filter(({ lanes }) => lanes.some((lane) => lane.length > 0)) };
}

/** The step-by-step road: these servers alone, which must exist, become nodes. `present` are all servers there are. */
export function planBootstrap(nodes: readonly NodeConfig[], present: readonly NodeConfig[]): Plan {
  const each = (kind: 'reach' | 'bootstrap' | 'register' | 'await-agent') =>
    nodes.map(({ name }): Step[] => [{ kind, node: name }]);
  const overlay = present.filter(({ kind }) => kind !== 'control');
  const isControl = nodes.every(({ kind }) => kind === 'control');
  const controllers: Phase = { name: 'controllers', lanes: [[{ kind: 'await-controller' }]] };
  const reserve: Phase = {
    name: 'overlay',
    lanes: [overlay.map(({ name }) => ({ kind: 'reserve-overlay', node: name }))],
  };
  const bootstrap: Phase = { name: isControl ? 'control plane' : 'nodes', lanes: each('bootstrap') };
  const phases: Phase[] = [
    { name: 'ssh', lanes: each('reach') },
    // A control plane has to stand before it can answer; every other node needs its answer first.
    ...(isControl ? [bootstrap, controllers] : [controllers, reserve, bootstrap]),
    { name: 'register', lanes: each('register') },
    { name: 'agents', lanes: each('await-agent') },
  ];
  return { phases: phases.filter(({ lanes }) => lanes.some((lane) => lane.length > 0)) };
}

/** The step-by-step road: servers and nothing else. */
export function planProvision(nodes: readonly NodeConfig[], servers: ReadonlySet<string>): Plan {
  const create = nodes
    .filter(({ name }) => !servers.has(name))
    .map(({ name, type, location }): Step[] => [{ kind: 'create', node: name, type, location }]);
  const phases: Phase[] = [
    { name: 'servers', lanes: create },
    { name: 'ssh', lanes: nodes.map(({ name }): Step[] => [{ kind: 'reach', node: name }]) },
  ];
  return { phases: phases.filter(({ lanes }) => lanes.length > 0) };
}

/** The way of a node that is lost: out of the cluster, and then made anew as `up` makes it. `fresh` is true when the first half is done. */
export function planReplace(
  nodes: readonly NodeConfig[],
  observed: Observed,
  { name, kind }: NodeConfig,
  { force, fresh }: { force: boolean; fresh: boolean },
): Plan {
  if (fresh) return planUp(nodes, observed);
  const without = (names: ReadonlySet<string>) => new Set([...names].filter((other) => other !== name));
  const leave: Step[] = [
    ...(kind === 'control' ? [{ kind: 'leave-etcd', node: name, force } as const] : []),
    { kind: 'unregister', node: name },
    { kind: 'delete', node: name },
  ];
  const { phases } = planUp(nodes, {
    servers: without(observed.servers),
    connected: without(observed.connected),
    registered: without(observed.registered),
  });
  return { phases: [{ name: 'leave', lanes: [leave] }, ...phases] };
}

/** A snapshot in the place of what etcd holds: on every control node at once, since all of them make a new etcd together. */
export function planRestore(present: readonly NodeConfig[]): Plan {
  const control = present.filter(({ kind }) => kind === 'control');
  const others = present.filter(({ kind }) => kind !== 'control');
  const each = (nodes: readonly NodeConfig[], what: RestoreStep['what']) =>
    nodes.map(({ name }): Step[] => [{ kind: 'restore', node: name, what }]);
  return {
    phases: [
      { name: 'ssh', lanes: each(present, 'reach') },
      { name: 'new data', lanes: each(control, 'prepare') },
      { name: 'stop', lanes: each(control, 'stop') },
      { name: 'swap', lanes: each(control, 'swap') },
      { name: 'etcd', lanes: each(control, 'start-etcd') },
      // Before any controller runs: what it orders must count.
      { name: 'epoch', lanes: each(control.slice(0, 1), 'raise-epoch') },
      {
        name: 'controllers',
        lanes: each(control, 'start-controller').map((lane, at) =>
          at === 0 ? [...lane, { kind: 'await-controller' }] : lane,
        ),
      },
      { name: 'agents', lanes: present.map(({ name }): Step[] => [{ kind: 'await-agent', node: name }]) },
      { name: 'watchers', lanes: each(others, 'restart-watchers') },
    ],
  };
}

/** The plan as a person reads it. */
export function renderPlan(plan: Plan): string {
  const lines = plan.phases.flatMap(({ name, lanes }, index) => [
    `${index + 1}. ${name}`,
    ...lanes.map((lane) => `     ${lane.map(describeStep).join(', then ')}`),
  ]);
  return `${lines.join('\n')}\n`;
}

/** The nodes that a step is about. */
export function nodesOf(step: Step): readonly string[] {
  if ('nodes' in step) return step.nodes;
  return 'node' in step ? [step.node] : [];
}

export function describeStep(step: Step): string {
  switch (step.kind) {
    case 'create':
      return `create ${step.node} (${step.type}, ${step.location})`;
    case 'await-controller':
      return 'wait for a controller';
    case 'reserve-overlay':
      return `overlay address of ${step.node}`;
    case 'await-agent':
      return `wait for the agent of ${step.node}`;
    case 'reach':
      return `reach ${step.node} over SSH`;
    case 'bootstrap':
      return `bootstrap ${step.node}, unless it was`;
    case 'register':
      return `register ${step.node}`;
    case 'leave-etcd':
      return `take ${step.node} out of etcd`;
    case 'unregister':
      return `unregister ${step.node}`;
    case 'delete':
      return `delete the server ${step.node}`;
    case 'restore':
      return describeRestore(step);
    case 'deploy':
      return `roll out what differs on ${step.nodes.join(', ')}`;
  }
}

function describeRestore({ node, what }: RestoreStep): string {
  switch (what) {
    case 'reach':
      return `reach ${node} over SSH`;
    case 'prepare':
      return `make the new data of etcd on ${node}`;
    case 'stop':
      return `stop etcd and the controller on ${node}`;
    case 'swap':
      return `put the new data in its place on ${node}`;
    case 'start-etcd':
      return `start etcd on ${node}`;
    case 'raise-epoch':
      return `raise the epoch, from ${node}`;
    case 'start-controller':
      return `start the controller on ${node}`;
    case 'restart-watchers':
      return `restart confd and flannel on ${node}`;
  }
}
