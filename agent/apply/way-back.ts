/** Back to the previous system, by the watchdog's own hand whoever decided it: there is one way back. */
import type { Logger } from 'pino';
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import type { Activator } from './activator.js';
import type { Job } from './job.js';

export interface WayBackParts {
  configDir: string;
  activator: Activator;
  clock: Clock;
  log: Logger;
}

export interface WayBackHooks {
  /** Waits a moment; throws when this process shall end. */
  pause(): Promise<void>;
  /** The job has another nonce from now on. */
  rename(nonce: string): Promise<void>;
}

/** Whether the previous system runs and is the boot default again, and what was said where it was not smooth. */
export async function wayBack(
  parts: WayBackParts,
  job: Job,
  hooks: WayBackHooks,
): Promise<{ back: boolean; log: string[] }> {
  const { activator } = parts;
  const { previousSystem, system = '' } = job;
  // After a boot the boot default runs, and everything with it.
  const rebooted = (await activator.bootId()) !== job.bootId;
  const alreadyBack = rebooted && (await activator.currentSystem()) === previousSystem;
  const log = alreadyBack ? [] : await restore(parts, job, hooks);
  if (system !== previousSystem && (await activator.profileSystem()) === system)
    await activator.commit(previousSystem);
  return { back: (await activator.currentSystem()) === previousSystem, log };
}

async function restore(parts: WayBackParts, job: Job, hooks: WayBackHooks): Promise<string[]> {
  const { activator, configDir, clock } = parts;
  const { revision, previousSystem } = job;
  const nonce = await claimRestore(parts, job, hooks);
  const deadline = clock.monotonic() + defaults.restoreMs;
  for (let armed = false; ; ) {
    const running = await activator.watchdogRuns();
    // Looked at after that: one that has just ended has left its record.
    const end = await activator.restored(nonce);
    if (end) return end.exit === 0 ? [] : end.log;
    if (!running && armed) return ['the way back was cut off'];
    if (!running) await activator.armWatchdog({ nonce, configDir, revision, previousSystem, confirmMs: 0 });
    armed ||= !running;
    if (clock.monotonic() > deadline) return ['the way back did not end'];
    await hooks.pause();
  }
}

/** The nonce under which the way back is decided: another one where the old one was confirmed already. */
async function claimRestore(
  { activator, log }: WayBackParts,
  { nonce }: Job,
  hooks: WayBackHooks,
): Promise<string> {
  const stands = await activator.claim(nonce, 'restore').catch((error: unknown) => {
    // A full disk takes no verdict; the watchdog goes back all the same when its time is over.
    log.error({ err: error }, 'no verdict can be written');
    return 'restore' as const;
  });
  if (stands === 'restore') return nonce;
  const other = `${nonce}-back`;
  await hooks.rename(other);
  await activator.claim(other, 'restore');
  return other;
}
