import { describe, expect, it } from 'vitest';
import {
  type Instance,
  initialInstance,
  type Observation,
  observe,
  type Rules,
  transitions,
} from './instance-state.js';

const rules: Rules = { rise: 2, fall: 2, startGraceMs: 1_000, checked: true };
const up: Observation = { kind: 'unit', activeState: 'active' };
const down: Observation = { kind: 'unit', activeState: 'failed' };
const pass: Observation = { kind: 'check', ok: true, detail: '' };
const fail: Observation = { kind: 'check', ok: false, detail: 'refused' };
const again: Observation = { kind: 'again' };

function states(events: readonly [number, Observation][], by = rules): string[] {
  let instance: Instance = initialInstance;
  return events.map(([nowMs, event]) => {
    const before = instance.state;
    instance = observe(instance, event, by, nowMs);
    if (instance.state !== before) expect(transitions[before]).toContain(instance.state);
    return instance.state;
  });
}

describe('an instance', () => {
  it('is healthy after enough passes in a row', () => {
    expect(
      states([
        [0, up],
        [1, pass],
        [2, fail],
        [3, pass],
        [4, pass],
      ]),
    ).toEqual(['starting', 'starting', 'starting', 'starting', 'healthy']);
  });
  it('forgives fewer failures than `fall`', () => {
    expect(
      states([
        [0, up],
        [1, pass],
        [2, pass],
        [3, fail],
        [4, pass],
        [5, fail],
        [6, fail],
      ]).slice(3),
    ).toEqual(['healthy', 'healthy', 'healthy', 'unhealthy']);
  });
  it('may fail while it starts, but not for ever', () => {
    expect(
      states([
        [0, up],
        [999, fail],
        [1_000, fail],
      ]),
    ).toEqual(['starting', 'starting', 'unhealthy']);
  });
  it('is stopped at once with its unit', () => {
    expect(
      states([
        [0, up],
        [1, pass],
        [2, pass],
        [3, down],
        [4, pass],
      ]),
    ).toEqual(['starting', 'starting', 'healthy', 'stopped', 'stopped']);
  });
  it('must prove itself anew after a switch', () => {
    expect(
      states([
        [0, up],
        [1, pass],
        [2, pass],
        [3, again],
        [4, pass],
        [5, pass],
      ]).slice(3),
    ).toEqual(['starting', 'starting', 'healthy']);
  });
  it('without a check is healthy while its unit is active', () => {
    expect(
      states(
        [
          [0, up],
          [1, down],
        ],
        { ...rules, checked: false },
      ),
    ).toEqual(['healthy', 'stopped']);
  });
});
