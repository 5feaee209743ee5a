import { describe, expect, it } from 'vitest';
import { baselineOf, demanded, judgeUnit, judgeUnits, newlyFailed, type UnitState } from './proof.js';

const up: UnitState = {
  active: 'active',
  sub: 'running',
  result: 'success',
  type: 'simple',
  restarts: 0,
  condition: true,
  triggered: false,
};
const rules = { restartsAllowed: 2 };
const ended = { active: 'inactive', sub: 'dead' };

describe('a unit', () => {
  it.each([
    ['that runs', {}, false, 'good'],
    ['that reloads', { active: 'reloading' }, false, 'good'],
    ['that starts', { active: 'activating', sub: 'start' }, false, 'coming'],
    ['that failed', { active: 'failed', sub: 'failed', result: 'exit-code' }, false, 'bad'],
    ['that waits for its restart', { active: 'activating', sub: 'auto-restart' }, false, 'coming'],
    ['that restarted as often as allowed', { restarts: 2 }, false, 'good'],
    ['that restarts too often, though it runs just now', { restarts: 3 }, false, 'bad'],
    ['that stopped', ended, false, 'bad'],
    ['that was new and stopped', ended, true, 'bad'],
    ['that is a oneshot, new and done', { ...ended, type: 'oneshot' }, true, 'good'],
    ['that is a oneshot which stayed active before', { ...ended, type: 'oneshot' }, false, 'bad'],
    ['that a condition keeps from starting', { ...ended, condition: false }, true, 'good'],
    ['that a timer had started and that ended', { ...ended, triggered: true }, false, 'good'],
    [
      'that a timer had started and that failed',
      { ...ended, triggered: true, result: 'exit-code' },
      false,
      'bad',
    ],
  ] as const)('%s', (_what, change, added, is) => {
    expect(judgeUnit('a.service', { ...up, ...change }, 0, added, rules).is).toBe(is);
  });
  it('that is gone is missed', () => {
    expect(judgeUnit('a.service', undefined, 0, false, rules).is).toBe('bad');
  });
  it('that restarted often, but before, is good', () => {
    expect(judgeUnit('a.service', { ...up, restarts: 9 }, 9, false, rules).is).toBe('good');
  });
});

it('demands what was active and still exists, and what is new and wanted', () => {
  const old = { defined: ['kept.service', 'gone.service', 'idle.service'], wanted: ['kept.service'] };
  const now = {
    defined: ['kept.service', 'idle.service', 'new.service', 'unwanted.service', 'a@.service'],
    wanted: ['kept.service', 'new.service', 'a@.service', 'some.target'],
  };
  expect(demanded({ active: ['kept.service', 'gone.service', 'x.target'] }, old, now)).toEqual({
    kept: ['kept.service'],
    added: ['new.service'],
  });
});

it('collects what is wrong and what is still coming', () => {
  const states = new Map([
    ['a.service', up],
    ['b.service', { ...up, active: 'failed', result: 'exit-code' }],
    ['c.timer', { ...up, active: 'activating' }],
  ]);
  const units = { kept: ['a.service', 'b.service'], added: ['c.timer'] };
  expect(judgeUnits(units, states, {}, rules)).toEqual({
    complaints: [{ unit: 'b.service', why: 'b.service failed (exit-code)' }],
    coming: ['c.timer'],
  });
});

it('does not count restarts of before, except of units that began anew', () => {
  const before = { active: [], failed: [], ssh: false, restarts: { 'a.service': 4, 'b.service': 5 } };
  expect(baselineOf(before, ['b.service'])).toEqual({ 'a.service': 4 });
  expect(newlyFailed(['a.service'], ['a.service', 'b.service'])).toEqual(['b.service']);
});
