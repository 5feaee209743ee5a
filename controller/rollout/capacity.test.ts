import { describe, expect, it } from 'vitest';
import { appsTaken, minimumOf, type Refusal, refusalOf, shortageOf } from './capacity.js';
import { changing, node, rollout, view } from './testing/fixtures.js';

const api = 'backends/api';
const restarts = { changes: changing([api, 'restart']) };
const all = { [api]: ['a', 'b', 'c'] };
const up = { a: {}, b: {}, c: {} };

describe('whether one more node may be away', () => {
  const cases: [
    string,
    Parameters<typeof refusalOf>[0],
    string,
    string[],
    ReturnType<typeof view>,
    Refusal | undefined,
  ][] = [
    ['nothing is away', rollout([node('a'), node('b')]), 'a', [], view(up), undefined],
    [
      'the group is at its limit',
      rollout([node('a'), node('b', 'ordered')]),
      'a',
      ['b'],
      view(up),
      { why: 'group', group: 'backends' },
    ],
    [
      'the group may lose two',
      rollout([node('a'), node('b', 'ordered')], {}, { maxUnavailable: 2 }),
      'a',
      ['b'],
      view(up),
      undefined,
    ],
    [
      'two control nodes, whatever was asked for',
      rollout(
        [node('a', 'waiting', { groups: ['control'] }), node('b', 'ordered', { groups: ['control'] })],
        {},
        { maxUnavailable: 3, force: true },
      ),
      'a',
      ['b'],
      view(up),
      { why: 'group', group: 'control' },
    ],
    [
      'a control node that was lost is still away',
      rollout([
        node('a', 'moved', { groups: ['control'] }),
        node('b', 'undo-failed', { groups: ['control'] }),
      ]),
      'a',
      [],
      view({ a: {}, b: { connected: false } }),
      { why: 'group', group: 'control' },
    ],
    [
      'a control node outside the rollout is down',
      rollout([node('a', 'waiting', { groups: ['control'] })], { control: ['a', 'b', 'c'] }),
      'a',
      [],
      view({ a: {}, b: { connected: false }, c: {} }),
      { why: 'group', group: 'control' },
    ],
    [
      'a control node that is back may still do what it was ordered',
      rollout([
        node('a', 'moved', { groups: ['control'] }),
        node('b', 'undo-failed', { groups: ['control'] }),
      ]),
      'a',
      [],
      view({ a: {}, b: { open: true } }),
      { why: 'group', group: 'control' },
    ],
    [
      'the minimum would be broken',
      rollout([node('a', 'waiting', restarts)], { minimums: { [api]: 3 } }),
      'a',
      [],
      view(up, all),
      { why: 'minimum', app: api },
    ],
    [
      'the minimum is kept',
      rollout([node('a', 'waiting', restarts)], { minimums: { [api]: 2 } }),
      'a',
      [],
      view(up, all),
      undefined,
    ],
    [
      'an instance on a node with an open order does not count',
      rollout([node('a', 'waiting', restarts)], { minimums: { [api]: 2 } }),
      'a',
      [],
      view({ ...up, c: { open: true } }, all),
      { why: 'minimum', app: api },
    ],
    [
      'another in flight took the app that this one has too',
      rollout([node('a'), node('b', 'ordered', restarts)], { minimums: { [api]: 2 } }, { maxUnavailable: 2 }),
      'a',
      ['b'],
      view(up, all),
      { why: 'minimum', app: api },
    ],
    [
      'forced',
      rollout([node('a', 'waiting', restarts)], { minimums: { [api]: 3 } }, { force: true }),
      'a',
      [],
      view(up, all),
      undefined,
    ],
  ];
  it.each(cases)('%s', (_, plan, name, inFlight, seen, expected) => {
    const named = (one: string) => {
      const found = plan.nodes.find((candidate) => candidate.name === one);
      if (!found) throw new Error(one);
      return found;
    };
    expect(refusalOf(plan, named(name), inFlight.map(named), seen)).toEqual(expected);
  });
});

it('takes on the way back what it started on the way there', () => {
  const changes = changing(['backends/new', 'start'], ['backends/old', 'stop'], [api, 'restart']);
  expect(appsTaken(node('a', 'waiting', { changes }))).toEqual(['backends/old', api]);
  expect(appsTaken(node('a', 'moved', { changes }))).toEqual(['backends/new', api]);
});

it.each([
  ['declared', 2, 3, 3, 1, 2],
  ['declared above what is there', 5, 3, 3, 1, 3],
  ['not declared: all but maxUnavailable', undefined, 3, 3, 1, 2],
  ['more may be away than there are', undefined, 1, 1, 3, 0],
  ['taken away on purpose', 1, 1, 0, 1, 0],
] as const)('minimum: %s', (_, declared, now, atTheEnd, maxUnavailable, expected) => {
  expect(minimumOf(declared, now, atTheEnd, maxUnavailable)).toBe(expected);
});

describe('an app that can never be spared', () => {
  const plan = (minimum: number, instances: number, options: object = {}) =>
    rollout(
      [node('a', 'waiting', restarts)],
      { minimums: { [api]: minimum }, instances: { [api]: instances } },
      options,
    );
  it.each([
    ['one of one must stay', plan(1, 1), { app: api, node: 'a' }],
    ['one of two must stay', plan(1, 2), undefined],
    ['none must stay', plan(0, 1), undefined],
    ['it is an emergency', plan(1, 1, { force: true }), undefined],
    [
      'another instance comes with the rollout',
      rollout([node('a', 'waiting', restarts), node('b', 'waiting', { changes: changing([api, 'start']) })], {
        minimums: { [api]: 1 },
        instances: { [api]: 1 },
      }),
      undefined,
    ],
  ])('%s', (_, of, expected) => {
    expect(shortageOf(of)).toEqual(expected);
  });
});
