import { describe, expect, it } from 'vitest';
import { Problem } from '../../shared/errors.js';
import type { Listener } from './events.js';
import { executePlan } from './execute.js';
import type { Plan, Step } from './plan.js';
import { jsonRenderer, terminalRenderer } from './render.js';

const step = (node: string): Step => ({ kind: 'bootstrap', node });
const plan: Plan = {
  phases: [
    {
      name: 'nodes',
      lanes: [
        [step('a1'), step('a2')],
        [step('b1'), step('b2')],
      ],
    },
    { name: 'agents', lanes: [[{ kind: 'await-agent', node: 'c' }]] },
  ],
};

async function execute(run: (step: Step) => Promise<string>, signal = new AbortController().signal) {
  const events: Parameters<Listener>[0][] = [];
  let time = 0;
  const result = await executePlan(plan, run, {
    listener: (event) => events.push(event),
    signal,
    now: () => (time += 1000),
  }).then(
    () => undefined,
    (error: unknown) => error as Problem,
  );
  return { events, result };
}

describe('executor', () => {
  it('runs phases in order and tells every step', async () => {
    const order: string[] = [];
    const { events, result } = await execute(async (each) => {
      order.push('node' in each ? each.node : '');
      return 'fine';
    });
    expect(result).toBeUndefined();
    expect(order.indexOf('a1')).toBeLessThan(order.indexOf('a2'));
    expect(order.at(-1)).toBe('c');
    expect(events.filter(({ type }) => type === 'step-ended')).toHaveLength(5);
    expect(events.at(-1)).toMatchObject({
      type: 'done',
      timings: [{ phase: 'nodes' }, { phase: 'agents' }],
    });
  });

  it('lets running steps end after a failure, and starts no further one', async () => {
    const done: string[] = [];
    const { result, events } = await execute(async (each) => {
      const node = 'node' in each ? each.node : '';
      if (node === 'a1') throw new Problem('apply.rejected', 'no', { node });
      await Promise.resolve();
      done.push(node);
      return '';
    });
    expect(result).toMatchObject({ code: 'apply.rejected', node: 'a1' });
    expect(done).toEqual(['b1']);
    expect(events.some(({ type }) => type === 'done')).toBe(false);
  });

  it('stops before the next step when interrupted', async () => {
    const controller = new AbortController();
    const seen: string[] = [];
    const { result } = await execute(async (each) => {
      seen.push('node' in each ? each.node : '');
      controller.abort();
      return '';
    }, controller.signal);
    expect(result?.exitCode).toBe(130);
    expect(seen).not.toContain('c');
  });
});

describe('renderers', () => {
  it('prints a line per step with its time, and a sum at the end', async () => {
    const { events } = await execute(async () => 'applied');
    let text = '';
    events.forEach(terminalRenderer((part) => (text += part), { verbose: false }));
    expect(text).toMatch(/^== nodes \(4\)\n/);
    expect(text).toMatch(/ {3}a1 +applied +\d+\.\ds\n/);
    expect(text).toMatch(/done in [\d.]+s: nodes [\d.]+s, agents [\d.]+s\n$/);
  });

  it('writes one JSON object per line', async () => {
    const { events } = await execute(async () => '');
    let text = '';
    events.forEach(
      jsonRenderer(
        (part) => (text += part),
        () => new Date(0),
      ),
    );
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(events.length);
    expect(lines[0]).toMatchObject({ time: '1970-01-01T00:00:00.000Z', type: 'plan' });
  });
});
