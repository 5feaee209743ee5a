/** The plan of a rollout: what each node found when it prepared, put into waves. Pure. The plan that is shown is the object that runs. */
import type { AppChange, Changes } from '../../proto/gen/nixinfra/v1/agent.js';
import type { NodeKind } from '../../shared/names.js';
import { minimumOf } from './capacity.js';
import { rolloutDefaults as defaults } from './defaults.js';
import type { RolloutOptions } from './options.js';
import type { NodeChanges, Rollout, RolloutNode } from './rollout.js';
import type { Instances } from './view.js';
import { groupsOf, wavesOf } from './waves.js';

/** A node that has something to do, with what its agent found. */
export interface PreparedNode {
  name: string;
  kind: NodeKind;
  services: readonly string[];
  from: RolloutNode['from'];
  to: RolloutNode['to'];
  desiredChange: number;
  changes: Changes;
}

export interface PlanInput {
  id: string;
  who: string;
  why: string;
  nowMs: number;
  options: RolloutOptions;
  instances: Instances;
  nodes: readonly PreparedNode[];
  /** Names of all control nodes. */
  control: readonly string[];
}

/** `r-20260102-030405-ab12`: sorts by time, and two at once do not meet. `tail` is four random hex digits. */
export function rolloutId(nowMs: number, tail: string): string {
  const [date = '', time = ''] = new Date(nowMs).toISOString().split('T');
  return `r-${date.replaceAll('-', '')}-${time.slice(0, 8).replaceAll(':', '')}-${tail}`;
}

export function makePlan(input: PlanInput): Rollout {
  const { id, who, why, nowMs, options, instances } = input;
  const waves = wavesOf(input.nodes, options.force);
  const nodes = waves.flatMap((wave, at) => wave.map((node) => plannedNode(node, at)));
  const touched = touchedApps(input.nodes);
  const minimums: Record<string, number> = {};
  const counts: Record<string, number> = {};
  for (const [app, changes] of touched) {
    const on = (instances.get(app) ?? []).length;
    const delta = (action: string) => changes.filter((change) => change.action === action).length;
    const declared = Math.max(-1, ...changes.map(({ minHealthy }) => minHealthy));
    const end = Math.max(0, on + delta('start') - delta('stop'));
    counts[app] = on;
    minimums[app] = minimumOf(declared < 0 ? undefined : declared, on, end, options.maxUnavailable);
  }
  return {
    ...blank(id, who, why, nowMs, options),
    minimums,
    instances: counts,
    nodes,
    control: [...input.control],
  };
}

/** The way back of a rollout that has ended, for those of its nodes whose desired key has this last change. */
export function undoPlan(
  ended: Rollout,
  input: { id: string; who: string; why: string; nowMs: number; instances: Instances },
  desiredChanges: ReadonlyMap<string, number>,
): Rollout {
  const moved = ended.nodes.filter(({ name }) => desiredChanges.has(name));
  const waves = wavesOf(moved, ended.options.force);
  const nodes = waves.flatMap((wave, at) =>
    wave.map(
      (node): RolloutNode => ({
        ...node,
        ...fresh(at),
        from: node.to,
        to: node.from,
        desiredChange: desiredChanges.get(node.name) ?? 0,
        changes: reversed(node.changes),
      }),
    ),
  );
  const { id, who, why, nowMs, instances } = input;
  const counts = Object.fromEntries(
    Object.keys(ended.minimums).map((app) => [app, (instances.get(app) ?? []).length]),
  );
  return {
    ...blank(id, who, why, nowMs, ended.options),
    minimums: ended.minimums,
    instances: counts,
    nodes,
    control: ended.control,
    undoes: ended.id,
  };
}

function blank(
  id: string,
  who: string,
  why: string,
  nowMs: number,
  options: RolloutOptions,
): Omit<Rollout, 'nodes' | 'minimums' | 'instances' | 'control'> {
  return {
    id,
    who,
    why,
    state: 'planned',
    createdMs: nowMs,
    startedMs: 0,
    endedMs: 0,
    options,
    wave: 0,
    resumeMs: 0,
    undoSinceMs: 0,
    undoes: '',
  };
}

function fresh(
  wave: number,
): Pick<
  RolloutNode,
  'wave' | 'state' | 'order' | 'orderedMs' | 'endedMs' | 'lostMs' | 'message' | 'log' | 'outcome'
> {
  return {
    wave,
    state: 'waiting',
    order: '',
    orderedMs: 0,
    endedMs: 0,
    lostMs: 0,
    message: '',
    log: [],
    outcome: undefined,
  };
}

function plannedNode(node: PreparedNode, wave: number): RolloutNode {
  const { name, kind, from, to, desiredChange, changes } = node;
  const apps = changes.apps.map(({ group, app, action, fromVersion, toVersion }) => ({
    id: `${group}/${app}`,
    action: action as 'start' | 'restart' | 'stop',
    fromVersion,
    toVersion,
  }));
  const files = changes.files as NodeChanges['files'];
  const { packages, stop, start, restart, reload, needsReboot } = changes;
  return {
    ...fresh(wave),
    name,
    kind,
    groups: groupsOf(node),
    from,
    to,
    desiredChange,
    changes: {
      files: cut(files, (left) => ({ path: `… and ${left} more`, change: 'changed' })),
      stop,
      start,
      restart,
      reload,
      packages: cut(packages, (left) => `… and ${left} more`),
      apps,
      needsReboot,
    },
  };
}

/** etcd takes values of at most 1.5 MB, and nobody reads a thousand lines of one node. */
function cut<T>(list: readonly T[], rest: (left: number) => T): T[] {
  const most = defaults.linesKept;
  return list.length <= most ? [...list] : [...list.slice(0, most), rest(list.length - most)];
}

function touchedApps(nodes: readonly PreparedNode[]): Map<string, AppChange[]> {
  const touched = new Map<string, AppChange[]>();
  for (const change of nodes.flatMap(({ changes }) => changes.apps)) {
    const id = `${change.group}/${change.app}`;
    touched.set(id, [...(touched.get(id) ?? []), change]);
  }
  return touched;
}

const opposite = { start: 'stop', stop: 'start', restart: 'restart' } as const;
const oppositeFile = { added: 'removed', removed: 'added', changed: 'changed' } as const;

/** What going back changes, as far as it follows from what going there changed. */
function reversed(changes: NodeChanges): NodeChanges {
  return {
    ...changes,
    files: changes.files.map(({ path, change }) => ({ path, change: oppositeFile[change] })),
    stop: changes.start,
    start: changes.stop,
    packages: [],
    apps: changes.apps.map(({ id, action, fromVersion, toVersion }) => ({
      id,
      action: opposite[action],
      fromVersion: toVersion,
      toVersion: fromVersion,
    })),
  };
}
