import { describe, expect, it } from 'vitest';
import { parseOptions } from './options.js';
import { makePlan, type PreparedNode, rolloutId, undoPlan } from './plan.js';
import { changing, node, rollout } from './testing/fixtures.js';

function prepared(name: string, action: string, minHealthy = -1): PreparedNode {
  const app = { group: 'backends', app: 'api', action, fromVersion: '1', toVersion: '2', minHealthy };
  return {
    name,
    kind: 'cluster',
    services: ['backends'],
    from: { revision: 'old', system: 'o' },
    to: { revision: 'new', system: 'n' },
    desiredChange: 7,
    changes: {
      files: [],
      stop: [],
      start: [],
      restart: [],
      reload: [],
      packages: [],
      apps: [app],
      needsReboot: false,
    },
  };
}

const base = { id: 'r-1', who: 'a@b', why: 'because', nowMs: 5, options: parseOptions({}), control: [] };
const three = new Map([['backends/api', ['a', 'b', 'c']]]);

describe('a plan', () => {
  it.each([
    ['all but one by default', [prepared('a', 'restart')], three, 2],
    ['as declared', [prepared('a', 'restart', 1)], three, 1],
    [
      'as the strictest of its nodes declares',
      [prepared('a', 'restart', 1), prepared('b', 'restart', 3)],
      three,
      3,
    ],
    ['never more than there are at the end', [prepared('a', 'stop', 3)], three, 2],
    ['never more than there are now', [prepared('a', 'start', 1)], new Map(), 0],
  ] as const)('keeps of an app: %s', (_, nodes, instances, minimum) => {
    const plan = makePlan({ ...base, instances, nodes });
    expect(plan.minimums).toEqual({ 'backends/api': minimum });
    expect(plan.state).toBe('planned');
  });

  it('has its nodes in the order of their waves', () => {
    const nodes = [prepared('a', 'restart'), prepared('b', 'restart')];
    const plan = makePlan({ ...base, instances: three, nodes });
    expect(plan.nodes.map(({ name, wave, desiredChange }) => [name, wave, desiredChange])).toEqual([
      ['a', 0, 7],
      ['b', 1, 7],
    ]);
  });

  it('back takes the moved nodes whose former revision is known, the other way round', () => {
    const changes = changing(['backends/api', 'start']);
    const nodes = [
      node('a', 'moved', { changes }),
      node('b', 'undone'),
      node('c', 'moved', { from: { revision: '', system: '' } }),
    ];
    const plan = undoPlan(
      rollout(nodes, { state: 'failed' }),
      { ...base, id: 'r-2', instances: three },
      new Map([['a', 9]]),
    );
    expect(plan.undoes).toBe('r-1');
    expect(plan.nodes).toHaveLength(1);
    expect(plan.nodes[0]).toMatchObject({
      name: 'a',
      state: 'waiting',
      order: '',
      desiredChange: 9,
      from: { revision: 'new' },
      to: { revision: 'old' },
      changes: { apps: [{ id: 'backends/api', action: 'stop' }] },
    });
  });
});

it('names rollouts by time', () => {
  expect(rolloutId(Date.UTC(2026, 0, 2, 3, 4, 5), 'ab12')).toBe('r-20260102-030405-ab12');
});
