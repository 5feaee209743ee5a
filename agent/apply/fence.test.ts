import { expect, it } from 'vitest';
import { judgeOrder, raise } from './fence.js';

const seen = { epoch: 2, token: 10, change: 100, ended: ['r1/a/1'], running: 'r2/a/1' };

it.each([
  ['of an older leader', { id: 'r3/a/1', epoch: 2, token: 9, change: 200 }, 'refuse'],
  ['of the same leader, but written before', { id: 'r3/a/1', epoch: 2, token: 10, change: 99 }, 'refuse'],
  ['that runs, but of an older leader', { id: 'r2/a/1', epoch: 2, token: 9, change: 200 }, 'refuse'],
  ['that runs', { id: 'r2/a/1', epoch: 2, token: 10, change: 100 }, 'running'],
  ['that has ended', { id: 'r1/a/1', epoch: 2, token: 10, change: 100 }, 'repeat'],
  ['that is new', { id: 'r3/a/1', epoch: 2, token: 10, change: 101 }, 'take'],
  [
    'of a new leader, whose key was written long ago',
    { id: 'r3/a/1', epoch: 2, token: 11, change: 5 },
    'take',
  ],
  ['of a restored etcd, whose revisions are lower', { id: 'r3/a/1', epoch: 3, token: 1, change: 1 }, 'take'],
  ['of before etcd was restored', { id: 'r3/a/1', epoch: 1, token: 99, change: 999 }, 'refuse'],
] as const)('an order %s', (_what, order, verdict) => {
  expect(judgeOrder(order, seen)).toBe(verdict);
});

it('never lowers the mark of a leader, and begins anew with the next', () => {
  expect(raise(seen, { id: 'x', epoch: 2, token: 10, change: 90 })).toEqual({
    epoch: 2,
    token: 10,
    change: 100,
  });
  expect(raise(seen, { id: 'x', epoch: 2, token: 10, change: 110 })).toEqual({
    epoch: 2,
    token: 10,
    change: 110,
  });
  expect(raise(seen, { id: 'x', epoch: 2, token: 11, change: 5 })).toEqual({
    epoch: 2,
    token: 11,
    change: 5,
  });
  expect(raise(seen, { id: 'x', epoch: 3, token: 1, change: 1 })).toEqual({ epoch: 3, token: 1, change: 1 });
  expect(raise(seen, { id: 'x', epoch: 1, token: 99, change: 999 })).toEqual({
    epoch: 2,
    token: 10,
    change: 100,
  });
});
