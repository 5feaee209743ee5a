import { describe, expect, it } from 'vitest';
import { advance, decide, type Job, jobPhases, onRestart, outcomeNames, transitions } from './job.js';

const job: Job = {
  order: 'r/a/1',
  token: 1,
  change: 1,
  revision: 'rev',
  options: { drainAckMs: 0, drainMs: 0, settleMs: 0, confirmMs: 0, routeMs: 0, force: false },
  phase: 'fetching',
  startedMs: 0,
  bootId: 'b1',
  previousSystem: '/old',
  system: '/new',
  nonce: 'n',
  held: [],
};

describe('the transitions', () => {
  it('lead from every phase to an end, and from none before the activation past it', () => {
    for (const phase of jobPhases) expect(transitions[phase].length).toBeGreaterThan(0);
    const ends = new Set(jobPhases.flatMap((phase) => transitions[phase]));
    for (const outcome of outcomeNames.filter((name) => name !== 'unchanged'))
      expect(ends).toContain(outcome);
  });
  it('reject only while nothing has changed', () => {
    const rejecting = jobPhases.filter((phase) => transitions[phase].includes('rejected'));
    expect(rejecting).toEqual(['fetching', 'staging', 'building', 'draining']);
  });
  it('are kept to', () => {
    expect(advance(job, 'staging').phase).toBe('staging');
    expect(() => advance(job, 'committing')).toThrow('cannot go');
  });
});

it.each([
  ['nothing applied yet', undefined, '/new', 'apply'],
  ['another revision', { revision: 'other', system: '/new' }, '/new', 'apply'],
  ['the revision, but another system since', { revision: 'rev', system: '/new' }, '/hand', 'apply'],
  ['the revision', { revision: 'rev', system: '/new' }, '/new', 'unchanged'],
] as const)('an order meets %s', (_what, applied, currentSystem, todo) => {
  expect(decide({ revision: 'rev' }, { applied, currentSystem })).toBe(todo);
});

describe('a job that is found', () => {
  const facts = (bootId: string, currentSystem: string, profileSystem: string) => ({
    bootId,
    currentSystem,
    profileSystem,
  });
  it.each([
    ['fetching', 'b1', '/old', '/old', 'again'],
    ['draining', 'b2', '/old', '/old', 'again'],
    ['activating', 'b1', '/old', '/old', 'go on'],
    ['activating', 'b2', '/old', '/old', 'go back'],
    ['proving', 'b1', '/new', '/old', 'go on'],
    ['proving', 'b2', '/old', '/old', 'go back'],
    ['committing', 'b1', '/new', '/new', 'go on'],
    // The verdict was given, but the power went before the profile was set.
    ['committing', 'b2', '/old', '/old', 'go back'],
    ['committing', 'b2', '/new', '/new', 'done'],
    // The profile was set, but the boot loader did not know yet.
    ['committing', 'b2', '/old', '/new', 'go back'],
    ['restoring', 'b1', '/new', '/old', 'go on'],
    ['restoring', 'b2', '/old', '/old', 'go back'],
    ['routing', 'b2', '/new', '/new', 'go on'],
  ] as const)('%s in boot %s with %s running and %s booting', (phase, boot, current, profile, todo) => {
    expect(onRestart({ ...job, phase }, facts(boot, current, profile))).toBe(todo);
  });
  it('of a revision that came out as the same system ends by its phase', () => {
    const same = { ...job, system: '/old' };
    expect(onRestart({ ...same, phase: 'proving' }, facts('b2', '/old', '/old'))).toBe('go back');
    expect(onRestart({ ...same, phase: 'committing' }, facts('b2', '/old', '/old'))).toBe('done');
  });
});
