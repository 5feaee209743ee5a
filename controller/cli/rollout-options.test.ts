import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { Problem } from '../../shared/errors.js';
import { parseOptions } from '../rollout/options.js';
import { type RolloutFlags, rolloutOptions, withRolloutOptions } from './rollout-options.js';

/** What the command line gives, through the real parser. */
function given(...args: string[]) {
  const command = withRolloutOptions(new Command('deploy'));
  command.parse(args, { from: 'user' });
  return rolloutOptions(command.opts<RolloutFlags>());
}

describe('options of a rollout', () => {
  it('have the defaults of the controller', () => expect(given()).toEqual(parseOptions({})));

  it('are read', () => {
    const all = '--max-unavailable 2 --pause 5m --force --no-undo --drain-timeout 10s --settle 500ms';
    const more = '--confirm-timeout 1m --unreachable-after 2m --deadline 2h';
    expect(given(...`${all} ${more}`.split(' '))).toEqual({
      maxUnavailable: 2,
      pause: 300_000,
      force: true,
      undo: false,
      drainMs: 10_000,
      settleMs: 500,
      confirmMs: 60_000,
      unreachableMs: 120_000,
      deadlineMs: 7_200_000,
    });
    expect(given('--pause', 'manual').pause).toBe('manual');
  });

  it.each([
    [['--max-unavailable', 'many'], '--max-unavailable'],
    [['--max-unavailable', '0'], '--max-unavailable'],
    [['--pause', '5'], '--pause'],
    [['--confirm-timeout', '1s'], '--confirm-timeout'],
    [['--deadline', '48h'], '--deadline'],
  ])('%j is refused and named', (args, where) => {
    let problem: unknown;
    try {
      given(...args);
    } catch (error) {
      problem = error;
    }
    expect(problem).toBeInstanceOf(Problem);
    expect(problem).toMatchObject({ code: 'rollout.invalid', where, exitCode: 64 });
  });
});
