import { describe, expect, it } from 'vitest';
import {
  advance,
  decide,
  type Job,
  jobPhases,
  judge,
  onRestart,
  type StoredResult,
  transitions,
} from './job.js';

const job: Job = {
  revision: 'r',
  phase: 'fetching',
  startedMs: 0,
  previousSystem: '/a',
  failedBefore: [],
  drained: [],
};

describe('the phases of a job', () => {
  it('lead from fetching to settling and nowhere back', () => {
    const order = [...jobPhases] as string[];
    for (const phase of jobPhases) {
      for (const next of transitions[phase]) {
        if (order.includes(next)) expect(order.indexOf(next)).toBe(order.indexOf(phase) + 1);
      }
    }
  });
  it('refuse a step that the table does not have', () => {
    expect(advance(job, 'staging').phase).toBe('staging');
    expect(() => advance(job, 'switching')).toThrow('cannot go from fetching to switching');
  });
  it('are undone before the switch and finished after it', () => {
    expect(jobPhases.map((phase) => onRestart({ ...job, phase }))).toEqual([
      'undo',
      'undo',
      'undo',
      'undo',
      'await-switch',
      'settle',
    ]);
  });
});

describe('decide', () => {
  const result = (outcome: StoredResult['outcome']): StoredResult => ({
    revision: 'r',
    outcome,
    message: '',
    log: [],
    system: '/s',
    durationMs: 1,
    atMs: 1_000,
  });
  it.each<[string, StoredResult | undefined, string, boolean, number, string]>([
    ['nothing known', undefined, '/s', true, 2_000, 'apply'],
    ['another revision', { ...result('applied'), revision: 'x' }, '/s', true, 2_000, 'apply'],
    ['applied, after a reconnect', result('applied'), '/s', true, 2_000, 'repeat'],
    ['applied, ordered again', result('applied'), '/s', false, 2_000, 'unchanged'],
    ['applied, but somebody switched by hand', result('applied'), '/other', true, 2_000, 'apply'],
    ['rejected, after a reconnect', result('rejected'), '/s', true, 2_000, 'repeat'],
    ['rejected, after a reconnect much later', result('rejected'), '/s', true, 99_000, 'apply'],
    ['rejected, ordered again', result('rejected'), '/s', false, 2_000, 'apply'],
    ['unhealthy, ordered again', result('unhealthy'), '/s', false, 2_000, 'apply'],
  ])('%s', (_, known, currentSystem, firstOnStream, nowMs, expected) => {
    expect(decide({ revision: 'r', firstOnStream }, { result: known, currentSystem, nowMs }, 60_000)).toBe(
      expected,
    );
  });
});

describe('judge', () => {
  it.each([
    [{ switchExit: 0, newFailed: [], unhealthyApps: [] }, 'applied', ''],
    [{ switchExit: 4, newFailed: ['a.service'], unhealthyApps: [] }, 'unhealthy', 'a.service failed'],
    [{ switchExit: 2, newFailed: [], unhealthyApps: [] }, 'unhealthy', 'the switch ended with exit code 2'],
    [
      { switchExit: 0, newFailed: [], unhealthyApps: ['frontends/x'] },
      'unhealthy',
      'frontends/x is not healthy',
    ],
  ])('%o', (facts, outcome, message) => {
    expect(judge(facts)).toEqual({ outcome, message });
  });
});
