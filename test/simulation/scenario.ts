/** What a seed stands for: a cluster, what its operators want, and how badly it is treated. */
import type { NodeKind, ServiceGroup } from '../../shared/names.js';
import type { App } from './content.js';
import { Random } from './scheduler.js';

export interface NodeSpec {
  name: string;
  kind: NodeKind;
  services: ServiceGroup[];
}

/** How the orders of a run end, as shares; the rest is applied. */
export interface Fates {
  rejected: number;
  rolledBack: number;
  unhealthy: number;
  needsReboot: number;
  /** The node restarts in the middle, its agent dies in the middle, the node goes away for long, for ever. */
  reboots: number;
  crashes: number;
  lost: number;
  lostForEver: number;
  /** The build takes much longer than usual. */
  longBuild: number;
}

export interface Scenario {
  seed: number;
  nodes: NodeSpec[];
  apps: App[];
  controllers: number;
  operators: number;
  fates: Fates;
  /** Faults by time, and faults at a step of the journal, until `calmAtMs`. */
  faults: number;
  strikes: number;
  lossy: number;
  slow: number;
  calmAtMs: number;
}

export function scenarioOf(seed: number): Scenario {
  const random = new Random(seed);
  const nodes: NodeSpec[] = [];
  const add = (kind: NodeKind, count: number, services: () => ServiceGroup[] = () => []) => {
    for (let i = 1; i <= count; i++) nodes.push({ name: `${kind}${i}`, kind, services: services() });
  };
  add('control', random.pick([0, 1, 3]));
  add('cluster', random.int(1, 4), () =>
    random.pick([['backends'], ['frontends'], ['backends', 'services']]),
  );
  add('ingress', random.int(0, 1));
  const hosts = nodes.filter(({ kind }) => kind === 'cluster');
  const apps = ['backends/api', 'frontends/web', 'services/db'].slice(0, random.int(1, 3)).map((id): App => {
    const group = id.split('/')[0] as ServiceGroup;
    const on = hosts.filter(({ services }) => services.includes(group)).map(({ name }) => name);
    return { id, on, minHealthy: random.pick([-1, -1, 0, 1, Math.max(0, on.length - 1), on.length]) };
  });
  const calm = random.chance(0.15);
  const rough = calm ? 0 : random.pick([0.3, 1, 1, 2]);
  const share = (usual: number) => usual * rough * random.next() * 2;
  return {
    seed,
    nodes,
    apps,
    controllers: 3,
    operators: random.pick([1, 2, 2]),
    fates: {
      rejected: share(0.03),
      rolledBack: share(0.04),
      unhealthy: share(0.03),
      needsReboot: 0.05,
      reboots: share(0.04),
      crashes: share(0.05),
      lost: share(0.03),
      lostForEver: share(0.01),
      longBuild: share(0.04),
    },
    faults: calm ? 0 : random.int(0, 7),
    strikes: calm ? 0 : random.int(0, 3),
    lossy: calm || random.chance(0.4) ? 0 : random.pick([0.003, 0.01, 0.04]),
    slow: calm || random.chance(0.5) ? 0 : random.pick([0.01, 0.05]),
    calmAtMs: random.int(30_000, 60_000),
  };
}
