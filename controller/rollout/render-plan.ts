/** The plan of a rollout as a person reads it before it starts. Pure. */
import { wavesIn } from './events.js';
import type { NodeChanges, Rollout, RolloutNode } from './rollout.js';

/** More of one kind are counted, not listed: a plan should fit on a screen. `-o json` has them all. */
const listed = { files: 6, units: 8, packages: 6 } as const;

/** Characters of a revision that people see. */
const revisionLength = 12;

export function shortRevision(revision: string): string {
  return revision === '' ? 'unknown' : revision.slice(0, revisionLength);
}

/** The whole plan; one line when nothing has to change. */
export function renderRolloutPlan(rollout: Rollout): string {
  const { nodes } = rollout;
  if (nodes.length === 0) return 'nothing to deploy: every node runs its revision\n';
  const waves = wavesIn(rollout);
  const blocks = waves.flatMap((wave, at) => ['', ...waveLines(rollout, wave, at + 1, waves.length)]);
  return `${[...headLines(rollout, waves.length), ...blocks].join('\n')}\n`;
}

function headLines({ id, nodes, options, undoes, who, why }: Rollout, waves: number): string[] {
  const rules = [
    `at most ${options.maxUnavailable} of a group at a time`,
    ...(options.pause === 'manual' ? ['waits for `rollout resume` after each wave'] : []),
    ...(typeof options.pause === 'number' && options.pause > 0
      ? [`waits ${options.pause / 1000} s after each wave`]
      : []),
    options.undo ? 'a failure brings moved nodes back' : 'a failure leaves moved nodes where they are',
    ...(options.force ? ['FORCED: no canary, no waiting for the mesh, no minimum of apps'] : []),
  ];
  return [
    `rollout ${id}${who === '' ? '' : ` by ${who}`}${why === '' ? '' : `: ${why}`}`,
    ...(undoes === '' ? [] : [`  undoes ${undoes}`]),
    `  ${count(nodes.length, 'node')} in ${count(waves, 'wave')}; ${rules.join('; ')}`,
  ];
}

function waveLines(rollout: Rollout, wave: number, number: number, waves: number): string[] {
  const members = rollout.nodes.filter((node) => node.wave === wave);
  const canary = number === 1 && waves > 1 && members.length === 1 && !rollout.options.force;
  // Copies of a node change alike; to read it once is enough.
  const first = new Map<string, string>();
  const lines = members.flatMap((node) => {
    const same = first.get(JSON.stringify(node.changes));
    if (same !== undefined) return [nodeLine(node, `the same changes as ${same}`)];
    first.set(JSON.stringify(node.changes), node.name);
    return [nodeLine(node), ...changeLines(node.changes)];
  });
  return [`wave ${number}${canary ? ' (canary)' : ''}`, ...lines, ...capacityLines(rollout, members)];
}

function nodeLine({ name, from, to }: RolloutNode, note = ''): string {
  const move = `${shortRevision(from.revision)} -> ${shortRevision(to.revision)}`;
  return `  ${name.padEnd(14)} ${move}${note === '' ? '' : `   ${note}`}`;
}

function changeLines(changes: NodeChanges): string[] {
  const { packages, apps, needsReboot } = changes;
  const lines: [string, string][] = [
    ['files', filesText(changes)],
    ['units', unitsText(changes)],
    ['packages', some(packages, listed.packages, '; ')],
    ...apps.map((app): [string, string] => ['app', appText(app)]),
    ['mesh', meshText(changes)],
    ['reboot', needsReboot ? 'needed: kernel, initrd or kernel command line change with the next boot' : ''],
  ];
  const shown = lines.filter(([, text]) => text !== '');
  if (shown.length === 0) return ['    nothing that runs changes'];
  return shown.map(([name, text]) => `    ${name.padEnd(9)} ${text}`);
}

const marks = { added: '+', changed: '~', removed: '-' } as const;

function filesText({ files }: NodeChanges): string {
  const text = some(
    files.map(({ path, change }) => `${marks[change]}${path}`),
    listed.files,
  );
  if (files.length <= listed.files) return text;
  const numbers = (['added', 'changed', 'removed'] as const).flatMap((kind) => {
    const many = files.filter(({ change }) => change === kind).length;
    return many === 0 ? [] : [`${marks[kind]}${many}`];
  });
  return `${numbers.join(' ')}: ${text}`;
}

function unitsText({ stop, start, restart, reload }: NodeChanges): string {
  const kinds: [string, readonly string[]][] = [
    ['stop', stop],
    ['start', start],
    ['restart', restart],
    ['reload', reload],
  ];
  return kinds
    .filter(([, units]) => units.length > 0)
    .map(([verb, units]) => `${verb} ${some(units.map(withoutSuffix), listed.units)}`)
    .join('; ');
}

function withoutSuffix(unit: string): string {
  return unit.replace(/\.service$/, '');
}

function appText({ id, action, fromVersion, toVersion }: NodeChanges['apps'][number]): string {
  const versions =
    fromVersion === toVersion || fromVersion === '' || toVersion === ''
      ? toVersion || fromVersion
      : `${fromVersion} -> ${toVersion}`;
  return `${[id, versions].filter(Boolean).join(' ')}, ${action}`;
}

/** What the way of requests goes through on every node deserves a line of its own. */
function meshText({ stop, restart, reload }: NodeChanges): string {
  const parts = ['haproxy', 'confd'].flatMap((name) => {
    const is = (units: readonly string[]) => units.includes(`${name}.service`);
    const verb = is(stop) ? 'stops' : is(restart) ? 'restarts' : is(reload) ? 'reloads' : undefined;
    return verb ? [`${name} ${verb}`] : [];
  });
  return parts.join(', ');
}

/** What each app keeps while the nodes of the wave are away; how many are away at once is the engine's rule, seen from its far end. */
function capacityLines({ instances, minimums, options }: Rollout, members: readonly RolloutNode[]): string[] {
  const ids = members.flatMap(({ changes }) => changes.apps.map(({ id }) => id));
  return [...new Set(ids)].flatMap((id) => {
    const away = members.filter(({ changes }) =>
      changes.apps.some((app) => app.id === id && app.action !== 'start'),
    );
    if (away.length === 0) return [];
    const [have, minimum] = [instances[id] ?? 0, minimums[id] ?? 0];
    const spare = options.force ? away.length : Math.max(1, have - minimum);
    const mostAway = Math.min(away.length, options.maxUnavailable, spare);
    const left = Math.max(0, have - mostAway);
    const names = away.map(({ name }) => name).join(', ');
    const who = away.length === 1 ? `${names} is away` : `${names} move, ${mostAway} at a time`;
    const verdict =
      left >= minimum
        ? `minimum ${minimum}`
        : `BELOW its minimum ${minimum}${options.force ? ', forced' : ': it waits for more instances'}`;
    return [`  capacity: ${id} ${left} of ${have} while ${who}, ${verdict}`];
  });
}

function some(items: readonly string[], most: number, separator = ', '): string {
  if (items.length <= most) return items.join(separator);
  return `${items.slice(0, most).join(separator)} and ${items.length - most} more`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
