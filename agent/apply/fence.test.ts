import { expect, it } from 'vitest';
import { judgeOrder, raise } from './fence.js';

const seen = { token: 10, change: 100, ended: ['r1/a/1'], running: 'r2/a/1' };

it.each([
  ['of an older leader', { id: 'r3/a/1', token: 9, change: 200 }, 'refuse'],
  ['of the same leader, but written before', { id: 'r3/a/1', token: 10, change: 99 }, 'refuse'],
  ['that runs, but of an older leader', { id: 'r2/a/1', token: 9, change: 200 }, 'refuse'],
  ['that runs', { id: 'r2/a/1', token: 10, change: 100 }, 'running'],
  ['that has ended', { id: 'r1/a/1', token: 10, change: 100 }, 'repeat'],
  ['that is new', { id: 'r3/a/1', token: 10, change: 101 }, 'take'],
  ['of a new leader, whose key was written long ago', { id: 'r3/a/1', token: 11, change: 5 }, 'take'],
] as const)('an order %s', (_what, order, verdict) => {
  expect(judgeOrder(order, seen)).toBe(verdict);
});

it('never lowers the mark of a leader, and begins anew with the next', () => {
  expect(raise(seen, { id: 'x', token: 10, change: 90 })).toEqual({ token: 10, change: 100 });
  expect(raise(seen, { id: 'x', token: 10, change: 110 })).toEqual({ token: 10, change: 110 });
  expect(raise(seen, { id: 'x', token: 11, change: 5 })).toEqual({ token: 11, change: 5 });
});
