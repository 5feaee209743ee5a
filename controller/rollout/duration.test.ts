import { describe, expect, it } from 'vitest';
import type { Problem } from '../../shared/errors.js';
import { formatDuration, parseDuration } from './duration.js';

describe('durations', () => {
  it.each([
    ['500ms', 500],
    ['0s', 0],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    [' 2m ', 120_000],
  ])('%s is %d ms', (text, ms) => expect(parseDuration(text, '--settle')).toBe(ms));

  it.each(['', '5', 's', '-1s', '1.5s', '1d', '1m30s', '5 m', '99999999999s'])('"%s" is refused', (text) => {
    let problem: Problem | undefined;
    try {
      parseDuration(text, '--settle');
    } catch (error) {
      problem = error as Problem;
    }
    expect(problem).toMatchObject({ code: 'rollout.invalid', where: '--settle', exitCode: 64 });
  });

  it.each([
    [-5, '0.0s'],
    [0, '0.0s'],
    [59_949, '59.9s'],
    [59_999, '1m00s'],
    [125_000, '2m05s'],
    [3_599_000, '59m59s'],
    [3_720_000, '1h02m'],
  ])('%d ms reads %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
});
