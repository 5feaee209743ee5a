import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { agentDefaults as defaults } from '../defaults.js';
import type { Activator } from './activator.js';
import type { Job } from './job.js';
import { wayBack } from './way-back.js';

const job: Job = {
  order: 'o',
  token: 1,
  change: 1,
  revision: 'r',
  options: { drainAckMs: 0, drainMs: 0, settleMs: 0, confirmMs: 0, routeMs: 0, force: false },
  phase: 'restoring',
  startedMs: 0,
  bootId: 'b',
  previousSystem: '/old',
  system: '/new',
  nonce: 'n',
  held: [],
};

interface World {
  current?: string;
  profile?: string;
  /** The verdict that stands before. */
  verdict?: 'confirmed' | 'restore';
  /** Way backs that have ended already. */
  restored?: string[];
  /** An activation that still runs. */
  activating?: boolean;
  began?: boolean;
  /** So many commits fail, the profile being set each time. */
  commitFails?: number;
}

/** A node whose watchdog goes back as soon as it is armed. */
async function goBack(world: World, change: Partial<Job> = {}) {
  const done: string[] = [];
  let now = 0;
  let { current = '/new', profile = '/old', activating = false, commitFails = 0, verdict } = world;
  const restored = new Set(world.restored);
  const activator = {
    bootId: async () => 'b',
    currentSystem: async () => current,
    profileSystem: async () => profile,
    claim: async (nonce: string) => {
      const stands = (nonce === 'n' && verdict) || 'restore';
      verdict = stands;
      return stands;
    },
    watchdogRuns: async () => false,
    armWatchdog: async ({ nonce, previousSystem }: { nonce: string; previousSystem: string }) => {
      done.push(`restore ${nonce}`);
      activating = false;
      current = previousSystem;
      restored.add(nonce);
    },
    restored: async (nonce: string) => (restored.has(nonce) ? { exit: 0, log: [] } : undefined),
    activationBegan: async () => world.began ?? true,
    stopActivation: async () => {
      const ran = activating;
      activating = false;
      if (ran) done.push('stop');
      return ran;
    },
    commit: async (system: string) => {
      done.push(`commit ${system}`);
      profile = system;
      commitFails -= 1;
      if (commitFails >= 0) throw new Error('no room');
    },
  } as Partial<Activator> as Activator;
  const clock = {
    now: () => {
      throw new Error('the wall clock measures nothing');
    },
    monotonic: () => now,
    sleep: async () => {},
  };
  const hooks = {
    pause: async (ms: number) => {
      now += ms;
    },
    rename: async (nonce: string) => void done.push(`rename ${nonce}`),
  };
  const parts = { configDir: '/etc/nixos', activator, clock, log: pino({ level: 'silent' }) };
  return { ...(await wayBack(parts, { ...job, ...change }, hooks)), done, now };
}

describe('the way back', () => {
  it('is gone once', async () => {
    expect(await goBack({})).toMatchObject({ troubles: [], done: ['restore n'] });
  });
  it('is decided anew where the attempt had been confirmed', async () => {
    const { troubles, done } = await goBack({ verdict: 'confirmed' });
    expect(troubles).toEqual([]);
    expect(done).toEqual(['rename n.back', 'restore n.back']);
  });
  it('is gone again when an activation runs that began after it', async () => {
    const { troubles, done } = await goBack({ current: '/old', restored: ['n'], activating: true });
    expect(troubles).toEqual([]);
    expect(done).toEqual(['stop', 'rename n.again', 'restore n.again']);
  });
  it('is gone again when an activation has ended that began after it', async () => {
    const { troubles, done } = await goBack({ current: '/new', restored: ['n'] });
    expect(troubles).toEqual([]);
    expect(done).toEqual(['rename n.again', 'restore n.again']);
  });
  it('is not gone where nothing was activated', async () => {
    expect(await goBack({ current: '/old', began: false })).toMatchObject({ troubles: [], done: [] });
  });
});

describe('the boot default', () => {
  it('is left alone where nothing was committed', async () => {
    expect((await goBack({})).done).toEqual(['restore n']);
  });
  it('is the old one again where the new one had been made it', async () => {
    expect((await goBack({ profile: '/new' })).done).toEqual(['restore n', 'commit /old']);
  });
  it('is made it also where the profile is the old one: the boot loader may not be', async () => {
    const { done } = await goBack({ profile: '/old' }, { bootDefaultTouched: true });
    expect(done).toEqual(['restore n', 'commit /old']);
  });
  it('is tried until it is whole', async () => {
    const { troubles, done, now } = await goBack({ profile: '/new', commitFails: 2 });
    expect(troubles).toEqual([]);
    expect(done.filter((line) => line === 'commit /old')).toHaveLength(3);
    expect(now).toBeGreaterThanOrEqual(2 * defaults.stateRetryMs);
  });
  it('is given up in the end, and that is told', async () => {
    const { troubles, log, done } = await goBack({ commitFails: 99 }, { bootDefaultTouched: true });
    expect(troubles).toEqual(['the boot default could not be restored']);
    expect(log).toContain('no room');
    expect(done.filter((line) => line === 'commit /old')).toHaveLength(defaults.bootDefaultTries);
  });
});
