import { expect, it } from 'vitest';
import { parseOptions } from './options.js';

it('fills in the defaults', () => {
  expect(parseOptions({})).toMatchObject({ maxUnavailable: 1, pause: 0, undo: true, force: false });
});

it.each([
  ['maxUnavailable', { maxUnavailable: 0 }],
  ['pause', { pause: 'sometimes' }],
  ['options', { surprise: true }],
  // It would be given up before its watchdog acts.
  ['unreachableMs', { unreachableMs: 30_000, confirmMs: 60_000 }],
  // A node that settles for as long as its watchdog waits would always go back.
  ['settleMs', { settleMs: 120_000, confirmMs: 120_000 }],
])('refuses a wrong %s and names it', (where, value) => {
  expect(() => parseOptions(value)).toThrow(expect.objectContaining({ code: 'rollout.invalid', where }));
});
