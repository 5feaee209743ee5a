/** Back to the previous system, by the watchdog's own hand whoever decided it: there is one way back. */
import type { Logger } from 'pino';
import { Problem } from '../../shared/errors.js';
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
  /** Waits, milliseconds; throws when this process shall end. */
  pause(ms: number): Promise<void>;
  /** The job has another nonce from now on. */
  rename(nonce: string): Promise<void>;
}

/** What is not as it was before, empty when all is; and what was said where it was not smooth. */
export interface WentBack {
  troubles: string[];
  log: string[];
}

export async function wayBack(parts: WayBackParts, job: Job, hooks: WayBackHooks): Promise<WentBack> {
  const { activator } = parts;
  const { previousSystem } = job;
  // After a boot the boot default runs, and everything with it.
  const rebooted = (await activator.bootId()) !== job.bootId;
  const alreadyBack = rebooted && (await activator.currentSystem()) === previousSystem;
  const log = alreadyBack ? [] : await restoreForGood(parts, job, hooks);
  const troubles: string[] = [];
  if ((await activator.currentSystem()) !== previousSystem) troubles.push('the way back failed');
  const reason = await restoreBootDefault(parts, job, hooks);
  if (reason !== undefined) {
    troubles.push('the boot default could not be restored');
    log.push(reason);
  }
  return { troubles, log };
}

/** Restores, and once more when an activation began after the watchdog had ended: then that one had the last word. */
async function restoreForGood(parts: WayBackParts, job: Job, hooks: WayBackHooks): Promise<string[]> {
  const { activator } = parts;
  const nonce = await claimRestore(parts, job, hooks);
  const log = await restore(parts, { ...job, nonce }, hooks);
  // The watchdog stops the activation before it restores: one that runs now is a later one.
  const late = await activator.stopActivation();
  const fresh = job.system !== job.previousSystem && (await activator.currentSystem()) === job.system;
  if (!late && !fresh) return log;
  parts.log.warn(
    { order: job.order, late },
    'the new system was activated after the way back; going back once more',
  );
  const again = `${nonce}.again`;
  await hooks.rename(again);
  await activator.claim(again, 'restore');
  return restore(parts, { ...job, nonce: again }, hooks);
}

async function restore(parts: WayBackParts, job: Job, hooks: WayBackHooks): Promise<string[]> {
  const { activator, configDir, clock } = parts;
  const { nonce, revision, previousSystem } = job;
  const deadline = clock.monotonic() + defaults.restoreMs;
  for (let armed = false; ; ) {
    const running = await activator.watchdogRuns();
    // Looked at after that: one that has just ended has left its record.
    const end = await activator.restored(nonce);
    if (end) return end.exit === 0 ? [] : end.log;
    if (!running && armed) return ['the way back was cut off'];
    if (!running && (await isUntouched(activator, previousSystem))) return [];
    if (!running) await activator.armWatchdog({ nonce, configDir, revision, previousSystem, confirmMs: 0 });
    armed ||= !running;
    if (clock.monotonic() > deadline) return ['the way back did not end'];
    await hooks.pause(defaults.unitPollMs);
  }
}

/** Nothing was activated and nothing will be: the verdict stands, and what was about to begin is stopped. */
async function isUntouched(activator: Activator, previousSystem: string): Promise<boolean> {
  await activator.stopActivation();
  return !(await activator.activationBegan()) && (await activator.currentSystem()) === previousSystem;
}

/**
 * Makes the old system what boots, wherever the new one may have become that, or half of that; why it could not be done, after some
 * attempts.
 */
async function restoreBootDefault(
  { activator, log }: WayBackParts,
  { system, previousSystem, bootDefaultTouched }: Job,
  hooks: WayBackHooks,
): Promise<string | undefined> {
  // The job may have been written for the last time before the commit, on a full disk.
  const looksTouched = system !== previousSystem && (await activator.profileSystem()) === system;
  if (!bootDefaultTouched && !looksTouched) return undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      await activator.commit(previousSystem);
      return undefined;
    } catch (error) {
      log.error({ attempt, err: error }, 'the old system could not be made the boot default');
      if (attempt >= defaults.bootDefaultTries) return Problem.from(error).reason ?? String(error);
    }
    await hooks.pause(defaults.stateRetryMs);
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
  const other = `${nonce}.back`;
  await hooks.rename(other);
  await activator.claim(other, 'restore');
  return other;
}
