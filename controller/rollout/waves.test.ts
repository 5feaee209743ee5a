import { expect, it } from 'vitest';
import type { NodeKind } from '../../shared/names.js';
import { groupsOf, type Placed, wavesOf } from './waves.js';

function placed(text: string): Placed[] {
  const kinds: Record<string, NodeKind> = { c: 'control', w: 'cluster', i: 'ingress' };
  return text.split(' ').map((name) => ({ name, kind: kinds[name[0] as string] as NodeKind }));
}

it.each([
  ['an app node is the canary', 'c1 c2 w1 w2 i1', false, 'w1 | c1 c2 | w2 | i1'],
  ['without app nodes the way in', 'c1 i1', false, 'i1 | c1'],
  ['control nodes alone', 'c1 c2 c3', false, 'c1 | c2 c3'],
  ['one node is its own canary', 'w1', false, 'w1'],
  ['forced: no canary', 'w1 c1 w2', true, 'c1 | w1 w2'],
] as const)('%s', (_, nodes, force, expected) => {
  const waves = wavesOf(placed(nodes), force);
  expect(waves.map((wave) => wave.map(({ name }) => name).join(' ')).join(' | ')).toBe(expected);
});

it('limits nodes by what they have in common', () => {
  expect(groupsOf({ name: 'a', kind: 'cluster', services: ['backends', 'services'] })).toEqual([
    'backends',
    'services',
  ]);
  expect(groupsOf({ name: 'a', kind: 'control', services: ['backends'] })).toEqual(['control']);
});
