import { setTimeout as delay } from 'node:timers/promises';
import { labDefaults } from './defaults.js';

/**
 * Asks `look` until it gives something other than undefined or false, at most `timeoutMs` long.
 * Undefined after the deadline; the last look is always after it, so that a long pause of this process is no failure.
 */
export async function until<T>(
  look: () => T | Promise<T>,
  timeoutMs: number,
): Promise<Exclude<T, undefined | false> | undefined> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const late = performance.now() > deadline;
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen as Exclude<T, undefined | false>;
    if (late) return undefined;
    await delay(labDefaults.pollMs);
  }
}
