import { expect, it } from 'vitest';
import { quantile } from './quantile.js';

it.each([
  [[], 0.5, 0],
  [[7], 0.99, 7],
  [[3, 1, 2], 0.5, 2],
  [[4, 3, 2, 1], 0.5, 2],
  [Array.from({ length: 100 }, (_, at) => at + 1), 0.99, 99],
  [[1, 2], 1, 2],
])('of %j at %d', (samples, share, value) => {
  expect(quantile(samples, share)).toBe(value);
});
