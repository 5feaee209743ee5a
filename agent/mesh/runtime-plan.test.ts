import { expect, it } from 'vitest';
import { planRuntime } from './runtime-plan.js';
import type { Running, RunningServer } from './show-stat.js';

const a = '10.0.0.1:80';
const b = '10.0.0.2:80';

function running(servers: Partial<RunningServer>[]): Running {
  const whole = { backend: 'hello', server: 'w1', address: a, status: 'UP', weight: '1', sessions: 0 };
  return {
    pid: '1',
    description: '',
    backends: new Set(['hello', 'tcp-in-frontends-hello']),
    servers: servers.map((server) => ({ ...whole, ...server })),
  };
}

function plan(
  expected: Record<string, string>,
  servers: Partial<RunningServer>[],
  overdue = false,
): string[] {
  const list = Object.entries(expected).map(([id, address]) => ({ id, address }));
  const backends = [{ backend: 'hello', listener: 'tcp-in-frontends-hello', servers: list }];
  return planRuntime(backends, running(servers), { isOverdue: () => overdue }).map(
    ({ do: what, server, address }) => `${what} ${server} ${address}`,
  );
}

it.each<[string, Record<string, string>, Partial<RunningServer>[], string[]]>([
  ['nothing to do', { w1: a }, [{}], []],
  ['one that is down belongs there all the same', { w1: a }, [{ status: 'DOWN' }], []],
  ['one more', { w1: a, w2: b }, [{}], [`add w2 ${b}`]],
  ['another address', { w1: b }, [{}], [`move w1 ${b}`]],
  ['back before it has left', { w1: a }, [{ status: 'DRAIN' }], [`ready w1 ${a}`]],
  ['back elsewhere', { w1: b }, [{ status: 'MAINT' }], [`move w1 ${b}`, `ready w1 ${b}`]],
  ['one less', {}, [{}], [`drain w1 ${a}`]],
  ['one less that works on requests', {}, [{ sessions: 2 }], [`drain w1 ${a}`]],
  ['one less that is down', {}, [{ status: 'DOWN' }], [`drain w1 ${a}`, `delete w1 ${a}`]],
  ['drained, with open requests', {}, [{ status: 'DRAIN', sessions: 1 }], []],
  ['drained, and idle', {}, [{ status: 'DRAIN' }], [`delete w1 ${a}`]],
  ['first who comes, then who goes', { w2: b }, [{}], [`add w2 ${b}`, `drain w1 ${a}`]],
])('%s', (_, expected, servers, commands) => {
  expect(plan(expected, servers)).toEqual(commands);
});

it('takes away what has been drained for too long', () => {
  expect(plan({}, [{ status: 'DRAIN', sessions: 1 }], true)).toEqual([`delete w1 ${a}`]);
});

it('leaves what only one side knows to the reload', () => {
  const expected = [
    { backend: 'new', listener: 'tcp-in-frontends-new', servers: [{ id: 'w1', address: a }] },
  ];
  expect(planRuntime(expected, running([{}]), { isOverdue: () => true })).toEqual([]);
});
