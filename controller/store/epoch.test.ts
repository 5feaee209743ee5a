import { expect, it } from 'vitest';
import { nextEpoch, parseEpoch } from './epoch.js';

it('reads a number, and takes nothing for 0', () => {
  expect([parseEpoch(undefined), parseEpoch(''), parseEpoch('1763900000')]).toEqual([0, 0, 1763900000]);
});

it.each(['x', '-1', '1.5', '99999999999999999999', '1e3'])('refuses %s', (text) => {
  expect(() => parseEpoch(text)).toThrow(expect.objectContaining({ code: 'etcd.invalid' }));
});

it('is above all that are known, also with a clock that was set back', () => {
  expect(nextEpoch([], 5_999)).toBe(5);
  expect(nextEpoch([0, 3], 5_000)).toBe(5);
  expect(nextEpoch([0, 7], 5_000)).toBe(8);
});
