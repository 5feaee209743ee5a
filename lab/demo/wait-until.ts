/** Waits for a condition with a deadline; never a sleep that hopes. */
import { setTimeout as pause } from 'node:timers/promises';
import { Problem } from '../../shared/errors.js';

/** Calls `probe` every `everyMs` until it returns something other than undefined or false; a throw counts as "not yet". */
export async function waitUntil<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  { deadlineMs = 30_000, everyMs = 50 }: { deadlineMs?: number; everyMs?: number } = {},
): Promise<{ value: T; ms: number }> {
  const started = performance.now();
  let last = 'condition not met';
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return { value, ms: performance.now() - started };
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() - started > deadlineMs) {
      throw new Problem('internal', `gave up waiting for ${what}`, {
        reason: `${last}, after ${Math.round(deadlineMs / 1_000)} s`,
        next: 'look at `nix-infra status` and the journals of the nodes',
      });
    }
    await pause(everyMs);
  }
}
