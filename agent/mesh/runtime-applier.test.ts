import { pino } from 'pino';
import { expect, it } from 'vitest';
import { agentDefaults as defaults } from '../defaults.js';
import { RuntimeApplier } from './runtime-applier.js';
import type { Expected } from './runtime-routes.js';
import type { Running, RunningServer } from './show-stat.js';

const at = (id: string) => ({ id, address: '10.0.0.1:80' });
const expected = (revision: number, ...ids: string[]): Expected => ({
  backends: [{ backend: 'hello', listener: 'tcp-in-frontends-hello', servers: ids.map(at) }],
  revision,
});
const server = (id: string, change: Partial<RunningServer> = {}): RunningServer => ({
  backend: 'hello',
  server: id,
  address: '10.0.0.1:80',
  status: 'UP',
  weight: '1',
  sessions: 0,
  ...change,
});
const running = (pid: string, ...servers: RunningServer[]): Running => ({
  pid,
  description: '',
  backends: new Set(['hello']),
  servers,
});

function setUp(first: Expected) {
  const state = {
    known: first as Expected | undefined,
    etcd: undefined as Expected | undefined,
    ms: 0,
    reads: 0,
  };
  const applier = new RuntimeApplier({
    source: {
      current: () => state.known,
      fresh: async () => {
        state.reads += 1;
        if (!state.etcd) throw new Error('etcd is away');
        return state.etcd;
      },
    },
    clock: { now: () => 0, monotonic: () => state.ms, sleep: async () => {} },
    log: pino({ level: 'silent' }),
  });
  return { state, applier };
}

it('does nothing before etcd has said anything', async () => {
  const { state, applier } = setUp(expected(1));
  state.known = undefined;
  expect(await applier.lines(running('1', server('w1')))).toEqual([]);
});

it('follows a change at once, without asking etcd again', async () => {
  const { state, applier } = setUp(expected(1, 'w1'));
  expect(await applier.lines(running('1', server('w1')))).toEqual([]);
  state.known = expected(2, 'w1', 'w2');
  expect((await applier.lines(running('1', server('w1')))).join()).toMatch(/^add server hello\/w2 /);
  expect(state.reads).toBe(0);
});

it('does not undo what a reload brought while its watch was behind', async () => {
  const { state, applier } = setUp(expected(1, 'w1'));
  await applier.lines(running('1', server('w1')));
  // confd knows of w2 already.
  const reloaded = running('2', server('w1'), server('w2'));
  expect(await applier.lines(reloaded)).toEqual([]);
  state.etcd = expected(2, 'w1', 'w2');
  expect(await applier.lines(reloaded)).toEqual([]);
  state.etcd = expected(3, 'w1');
  expect(await applier.lines(reloaded)).toEqual(['set server hello/w2 state drain']);
});

it('gives up on a command that changes nothing, until there is another worker', async () => {
  const { state, applier } = setUp(expected(1, 'w1'));
  state.etcd = state.known;
  let sent = 0;
  for (state.ms = 0; state.ms < 60_000; state.ms += 50) sent += (await applier.lines(running('1'))).length;
  expect(sent).toBe(defaults.runtimeTries);
  expect(await applier.lines(running('2'))).toHaveLength(1);
});

it('takes away a drained server when its requests have ended, or had their time', async () => {
  const { state, applier } = setUp(expected(1));
  state.etcd = state.known;
  const drained = (sessions: number) => running('1', server('w1', { status: 'DRAIN', sessions }));
  const away = ['set server hello/w1 state maint;del server hello/w1'];
  expect(await applier.lines(drained(1))).toEqual([]);
  state.ms = defaults.runtimeDrainMs - 1;
  expect(await applier.lines(drained(1))).toEqual([]);
  state.ms += 1;
  expect(await applier.lines(drained(1))).toEqual(away);
  state.ms += defaults.runtimeRetryMs;
  expect(await applier.lines(drained(0))).toEqual(away);
});
