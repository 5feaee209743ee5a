import { expect, it } from 'vitest';
import { median, parseEvents, phaseTimes } from './phases.js';

const at = (second: number) => new Date(second * 1000).toISOString();

it('splits the time of a deploy', () => {
  const events = [
    { time: at(12), type: 'planned' },
    { time: at(13), type: 'node-ordered', node: 'a' },
    { time: at(14), type: 'node-progress', node: 'a', phase: 'draining' },
    { time: at(17), type: 'node-progress', node: 'a', phase: 'proving' },
    { time: at(18), type: 'node-moved', node: 'a' },
    { time: at(18), type: 'node-ordered', node: 'b' },
    { time: at(20), type: 'node-failed', node: 'b' },
  ];
  expect(phaseTimes(events, 10_000)).toEqual({
    plan: 2_000,
    ordered: 3_000,
    draining: 3_000,
    proving: 1_000,
  });
});

it('reads events among other lines, and medians', () => {
  expect(parseEvents('x\n{"time":"t","type":"planned"}\n')).toEqual([{ time: 't', type: 'planned' }]);
  expect([median([3, 1, 2]), median([4, 1]), median([])]).toEqual([2, 2.5, 0]);
});
