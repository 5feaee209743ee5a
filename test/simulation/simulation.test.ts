/** The simulation in `npm test`. More seeds: `npm run sim -- --seeds 100000`; one with its trace: `npm run sim -- --seed N --trace`. */
import { describe, expect, it } from 'vitest';
import { replayOf, runSeeds } from './run.js';
import { runSeed } from './world.js';

const SEEDS = 2_000;

describe('rollouts in simulation', () => {
  it('is the same to the event when a seed runs again', async () => {
    for (const seed of [3, 19, 136]) {
      const [first, again] = [await runSeed(seed), await runSeed(seed)];
      expect(again).toEqual(first);
      expect(first.events).toBeGreaterThan(500);
    }
  });

  it(`holds what must hold for ${SEEDS} seeds`, async () => {
    const { violations, ends, struck } = await runSeeds(1, SEEDS);
    const told = violations.map(({ seed, violation }) => `${violation?.message}; replay: ${replayOf(seed)}`);
    expect(told).toEqual([]);
    // A simulation in which nothing happens would prove nothing.
    for (const state of ['succeeded', 'undone', 'failed', 'aborted', 'undo-failed'])
      expect(ends[state] ?? 0, `rollouts that ended ${state}`).toBeGreaterThan(SEEDS / 40);
    for (const how of [
      'before kill',
      'after kill',
      'before pause',
      'after pause',
      'before cut',
      'after cut',
      'strand',
    ])
      expect(struck[how] ?? 0, `strikes ${how}`).toBeGreaterThan(SEEDS / 50);
  }, 600_000);
});
