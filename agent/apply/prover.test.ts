import { describe, expect, it } from 'vitest';
import type { Activator } from './activator.js';
import type { AppsControl } from './apps-control.js';
import type { Job } from './job.js';
import type { UnitState } from './proof.js';
import { Overtaken, Prover, settleMsOf } from './prover.js';

const up: UnitState = {
  active: 'active',
  sub: 'running',
  result: 'success',
  type: 'simple',
  restarts: 0,
  condition: true,
  triggered: false,
};
const options = { drainAckMs: 0, drainMs: 0, settleMs: 0, confirmMs: 0, routeMs: 0, force: false };
const none = { files: [], stop: [], start: [], restart: [], reload: [], packages: [], apps: [] };
const job: Job = {
  order: 'o',
  token: 1,
  change: 1,
  revision: 'r',
  options,
  phase: 'proving',
  startedMs: 0,
  bootId: 'b',
  previousSystem: '/old',
  system: '/new',
  nonce: 'n',
  held: [],
  changes: { ...none, restart: ['a.service'], needsReboot: false },
  before: { active: ['a.service'], failed: [], restarts: { 'a.service': 0 }, ssh: true },
};

interface World {
  /** State of a.service at a time, in milliseconds after the activation. */
  unit?: (atMs: number) => Partial<UnitState>;
  app?: (atMs: number) => 'healthy' | 'coming' | 'lost';
  failed?: (atMs: number) => string[];
  ssh?: (atMs: number) => boolean;
  restoreAt?: number;
}

function prove(world: World, change: Partial<Job> = {}) {
  let now = 0;
  const activator = {
    unitsOf: async () => ({ defined: ['a.service'], wanted: ['a.service'] }),
    unitStates: async () => new Map([['a.service', { ...up, ...world.unit?.(now) }]]),
    failedUnits: async () => world.failed?.(now) ?? [],
    explainUnit: async (unit: string) => [`about ${unit}`],
    sshLogin: async () => ({ ok: world.ssh?.(now) ?? true, detail: 'refused' }),
    verdict: async () => (now >= (world.restoreAt ?? Number.POSITIVE_INFINITY) ? 'restore' : undefined),
  } as Partial<Activator> as Activator;
  const apps = {
    declared: () => [
      { id: 'frontends/a', instance: 'w', group: 'frontends', name: 'a', unit: 'a.service', address: '' },
    ],
    unhealthy: () => {
      const state = world.app?.(now) ?? 'healthy';
      return {
        coming: state === 'coming' ? ['frontends/a'] : [],
        lost: state === 'lost' ? ['frontends/a'] : [],
      };
    },
    longestGraceMs: () => 0,
  } as Partial<AppsControl> as AppsControl;
  const clock = {
    now: () => {
      throw new Error('the wall clock measures nothing');
    },
    monotonic: () => now,
    sleep: async (ms: number) => {
      now += ms;
    },
  };
  const result = new Prover({ activator, apps, clock }).prove({ ...job, ...change });
  return result.then((failure) => ({ failure, atMs: now }));
}

describe('a node', () => {
  it('is proved after everything stayed well for the settle time', async () => {
    expect(await prove({ app: (ms) => (ms < 1_000 ? 'coming' : 'healthy') })).toEqual({
      failure: undefined,
      atMs: 7_000,
    });
  });
  it.each<[string, World, RegExp]>([
    [
      'a unit that dies after 5 s',
      { failed: (ms) => (ms >= 5_000 ? ['b.service'] : []) },
      /b.service failed/,
    ],
    [
      'a unit that dies after 5 s and comes back by itself',
      { unit: (ms) => (ms >= 5_000 ? { restarts: 1 } : {}) },
      /a.service restarts by itself/,
    ],
    [
      'a unit that waits for its restart',
      { unit: (ms) => (ms >= 3_000 ? { active: 'activating', sub: 'auto-restart' } : {}) },
      /a.service did not stay up/,
    ],
    ['a unit that never comes up', { unit: () => ({ active: 'activating' }) }, /does not come up/],
    [
      'a unit that keeps restarting',
      { unit: (ms) => ({ restarts: Math.floor(ms / 500) }) },
      /restarts by itself/,
    ],
    ['an app that never becomes healthy', { app: () => 'coming' }, /frontends\/a is not healthy/],
    ['an app that is given up', { app: () => 'lost' }, /frontends\/a is not healthy/],
    [
      'an app that falters',
      { app: (ms) => (ms >= 4_000 && ms < 4_500 ? 'coming' : 'healthy') },
      /not healthy/,
    ],
    ['a locked sshd', { ssh: () => false }, /login/],
  ])('is not proved with %s', async (_what, world, why) => {
    const { failure } = await prove(world);
    expect(failure?.message).toMatch(why);
    expect(failure?.log.length).toBeGreaterThan(0);
  });
  it('is given time for sshd to start again', async () => {
    expect((await prove({ ssh: (ms) => ms > 9_000 })).failure).toBeUndefined();
  });
  it('need not have a login that did not work before', async () => {
    const before = { active: ['a.service'], failed: [], restarts: {}, ssh: false };
    expect((await prove({ ssh: () => false }, { before })).failure).toBeUndefined();
  });
  it('is not blamed for what had failed before', async () => {
    const before = { active: ['a.service'], failed: ['b.service'], restarts: {}, ssh: true };
    expect((await prove({ failed: () => ['b.service'] }, { before })).failure).toBeUndefined();
  });
  it('stops proving when the watchdog has decided', async () => {
    await expect(prove({ restoreAt: 2_000 })).rejects.toThrow(Overtaken);
  });
});

it('settles as long as told, else by whether units began anew', () => {
  expect(settleMsOf({ ...job, options: { ...options, settleMs: 42 } })).toBe(42);
  expect(settleMsOf(job)).toBe(6_000);
  expect(settleMsOf({ ...job, changes: { ...none, reload: ['x.service'], needsReboot: false } })).toBe(1_000);
});
