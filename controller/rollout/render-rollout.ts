/** A rollout as lines: one after the other, or as a frame that is drawn again in place. Pure. */
import { formatDuration } from './duration.js';
import { countStates, progressOf, type RolloutEvent, type RolloutView, wavesIn } from './events.js';
import { renderRolloutPlan, shortRevision } from './render-plan.js';
import { isTerminal, type NodeState, type Rollout, type RolloutNode } from './rollout.js';

export interface LineOptions {
  /** Tells what agents do, too. */
  verbose: boolean;
}

/** The lines of an event for whoever reads a log; undefined for what needs none. */
export function rolloutLines(event: RolloutEvent, { verbose }: LineOptions): string | undefined {
  switch (event.type) {
    case 'planning':
      return verbose ? nodeLine(event.node, event.message) : undefined;
    case 'wave-started':
      return `== wave ${event.wave} of ${event.waves} (${event.nodes.length})`;
    case 'node-ordered':
      return verbose ? nodeLine(event.node, `ordered ${shortRevision(event.revision)}`) : undefined;
    case 'node-progress':
      return verbose ? nodeLine(event.node, withMessage(event.phase, event.message)) : undefined;
    // For a moment every agent is: it proves that it can connect anew.
    case 'node-away':
      return verbose ? nodeLine(event.node, 'its agent is away') : undefined;
    case 'node-back':
      return verbose ? nodeLine(event.node, 'its agent is back') : undefined;
    case 'node-moved':
      return nodeLine(event.node, `${event.outcome} ${shortRevision(event.revision)}`, event.elapsedMs);
    case 'node-failed':
      return nodeLine(event.node, `FAILED: ${event.outcome}: ${event.message}`, event.elapsedMs);
    case 'node-skipped':
      return verbose ? nodeLine(event.node, 'skipped') : undefined;
    case 'node-undoing':
      return verbose ? nodeLine(event.node, `going back to ${shortRevision(event.revision)}`) : undefined;
    case 'node-undone':
      return nodeLine(event.node, `runs ${shortRevision(event.revision)} again`, event.elapsedMs);
    case 'node-undo-failed':
      return nodeLine(event.node, `NOT BROUGHT BACK: ${event.message}`, event.elapsedMs);
    default:
      return sharedLine(event);
  }
}

/** The lines of an event that stand above a frame: what the frame itself does not show. */
export function linesAbove(event: RolloutEvent): string | undefined {
  switch (event.type) {
    case 'node-failed':
    case 'node-undo-failed':
      return rolloutLines(event, { verbose: false });
    default:
      return sharedLine(event);
  }
}

function sharedLine(event: RolloutEvent): string | undefined {
  switch (event.type) {
    case 'planned':
      return renderRolloutPlan(event.rollout).trimEnd();
    case 'lock-waiting': {
      const why = event.why === '' ? '' : ` (${event.why})`;
      const since = new Date(event.sinceMs).toISOString();
      return `waiting for rollout ${event.rollout} of ${event.who}${why}, which runs since ${since}`;
    }
    case 'stale':
      return `the cluster changed after the plan ${event.rollout} was made; planning again`;
    case 'started':
      return event.detached
        ? `started ${event.rollout}; watch it with \`nix-infra rollout watch ${event.rollout}\``
        : undefined;
    case 'watching': {
      const why = event.why === '' ? '' : `: ${event.why}`;
      return `rollout ${event.rollout} of ${event.who}${why}; ${event.state}, nodes: ${event.nodes}`;
    }
    case 'leader-changed':
      return `   ${event.leader} leads now${event.before === '' ? '' : `, no longer ${event.before}`}`;
    case 'paused': {
      const until =
        event.resumeMs === 0
          ? 'go on with `nix-infra rollout resume`'
          : `goes on at ${new Date(event.resumeMs).toISOString()}`;
      return `== paused before wave ${event.wave} of ${event.waves}; ${until}`;
    }
    case 'resumed':
      return '== goes on';
    case 'stopped': {
      const { node, message } = event.cause;
      const what = oneLine([node, message].filter(Boolean).join(': '));
      return `== stopped: ${what}\n   ${event.undo ? 'nodes that were moved go back' : 'nodes that were moved stay'}`;
    }
    case 'ended':
      return `rollout ${event.rollout} ${event.state} after ${formatDuration(event.elapsedMs)}: ${countText(event.counts)}`;
    default:
      return undefined;
  }
}

export interface FrameSize {
  columns: number;
  rows: number;
}

const shortest = { columns: 20, rows: 5 } as const;

/** The state of a rollout at a time (Unix ms), no wider and no higher than the terminal: two lines about all, and one per node. */
export function rolloutFrame(view: RolloutView, nowMs: number, size: FrameSize): string[] {
  const { rollout, leader } = view;
  const end = isTerminal(rollout.state) ? rollout.endedMs : nowMs;
  const head = [
    `rollout ${rollout.id}`,
    stateText(rollout, nowMs),
    leader === '' ? 'nobody leads' : `led by ${leader}`,
    rollout.startedMs === 0 ? '' : formatDuration(end - rollout.startedMs),
  ];
  const waves = wavesIn(rollout);
  const lines = rollout.nodes
    .slice()
    .sort((a, b) => a.wave - b.wave)
    .map((node) => ({ node, text: frameLine(node, view, nowMs, waves) }));
  const room = Math.max(shortest.rows, size.rows) - 3;
  const shown = within(lines, room);
  const columns = Math.max(shortest.columns, size.columns) - 1;
  return [head.filter(Boolean).join('  '), `  ${countText(countStates(rollout.nodes))}`, ...shown].map(
    (line) => cut(line, columns),
  );
}

function frameLine(node: RolloutNode, view: RolloutView, nowMs: number, waves: readonly number[]): string {
  const wave = `wave ${waves.indexOf(node.wave) + 1}`.padEnd(8);
  return `  ${wave}${node.name.padEnd(14)} ${doingText(node, view).padEnd(44)} ${elapsedText(node, nowMs).padStart(7)}`;
}

function doingText(node: RolloutNode, view: RolloutView): string {
  const name = stateNames[node.state];
  switch (node.state) {
    case 'ordered':
    case 'undo-ordered': {
      if (node.lostMs > 0) return `${name}: its agent is away`;
      const says = progressOf(node, view);
      return says ? `${name}: ${withMessage(says.phase, says.message)}` : name;
    }
    case 'moved':
      return node.outcome === undefined || node.outcome === 'applied' ? name : `${name}, ${node.outcome}`;
    case 'failed':
      return `${name}: ${node.outcome ?? ''}`;
    default:
      return name;
  }
}

const stateNames: Record<NodeState, string> = {
  waiting: 'waiting',
  ordered: 'moving',
  moved: 'moved',
  failed: 'FAILED',
  'undo-ordered': 'going back',
  undone: 'back on what it ran',
  'undo-failed': 'NOT BROUGHT BACK',
  skipped: 'skipped',
};

/** Clocks differ: the journal's times are the leader's, now is the operator's. */
function elapsedText({ state, orderedMs, endedMs }: RolloutNode, nowMs: number): string {
  if (state === 'waiting' || state === 'skipped' || orderedMs === 0) return '';
  const end = state === 'ordered' || state === 'undo-ordered' ? nowMs : Math.max(endedMs, orderedMs);
  return formatDuration(end - orderedMs);
}

function stateText({ state, resumeMs }: Rollout, nowMs: number): string {
  if (state !== 'paused') return state;
  return resumeMs === 0
    ? 'paused until `rollout resume`'
    : `paused, ${formatDuration(resumeMs - nowMs)} left`;
}

const countOrder: readonly NodeState[] = [
  'moved',
  'ordered',
  'waiting',
  'failed',
  'undo-ordered',
  'undone',
  'undo-failed',
  'skipped',
];
const countNames: Record<NodeState, string> = {
  ...stateNames,
  failed: 'failed',
  undone: 'back',
  'undo-failed': 'not brought back',
};

export function countText(counts: Partial<Record<NodeState, number>>): string {
  return countOrder
    .flatMap((state) => (counts[state] ? [`${counts[state]} ${countNames[state]}`] : []))
    .join(', ');
}

/** Where not all fit, those that wait or have ended well go first: they say least. */
function within(lines: readonly { node: RolloutNode; text: string }[], room: number): string[] {
  if (lines.length <= room) return lines.map(({ text }) => text);
  const dull = (state: NodeState) =>
    state === 'waiting' || state === 'skipped' || state === 'moved' || state === 'undone';
  const ranked = [
    ...lines.filter(({ node }) => !dull(node.state)),
    ...lines.filter(({ node }) => dull(node.state)),
  ];
  const kept = new Set(ranked.slice(0, room - 1));
  const rest = lines.length - kept.size;
  return [...lines.filter((line) => kept.has(line)).map(({ text }) => text), `  and ${rest} more nodes`];
}

function cut(text: string, columns: number): string {
  const line = oneLine(text);
  return line.length <= columns ? line : `${line.slice(0, columns - 1)}…`;
}

/** What nodes say is shown, never obeyed: no line breaks and no control sequences. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}

function nodeLine(node: string, text: string, elapsedMs?: number): string {
  const time = elapsedMs === undefined ? '' : ` ${formatDuration(elapsedMs).padStart(7)}`;
  return `   ${node.padEnd(14)} ${time === '' ? oneLine(text) : oneLine(text).padEnd(40)}${time}`;
}

function withMessage(phase: string, message: string): string {
  return [phase, message].filter(Boolean).join(': ');
}
