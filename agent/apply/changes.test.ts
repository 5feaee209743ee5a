import { describe, expect, it } from 'vitest';
import { appChanges, fileChanges, parseDiffClosures, parseDryActivation } from './changes.js';

it('compares files by their hash', () => {
  const before = new Map(Object.entries({ a: '1', b: '1', c: '1' }));
  const after = new Map(Object.entries({ b: '2', c: '1', d: '1' }));
  expect(fileChanges(before, after)).toEqual([
    { path: 'a', change: 'removed' },
    { path: 'b', change: 'changed' },
    { path: 'd', change: 'added' },
  ]);
});

describe('a dry activation', () => {
  it('is read with a unit that stops and starts as one that restarts', () => {
    const lines = [
      'would stop the following units: gone.service, hello.service',
      'would NOT stop the following changed units: getty@tty1.service',
      'would activate the configuration...',
      'would reload the following units: haproxy.service',
      'would restart the following units: confd.service',
      'would start the following units: hello.service',
    ];
    expect(parseDryActivation(lines, ['new.timer'])).toEqual({
      stop: ['gone.service'],
      start: ['new.timer'],
      restart: ['confd.service', 'hello.service'],
      reload: ['haproxy.service'],
    });
  });
  it('that says nothing changes nothing', () => {
    expect(parseDryActivation(['would activate the configuration...'])).toEqual({
      stop: [],
      start: [],
      restart: [],
      reload: [],
    });
  });
});

describe('the apps of a change', () => {
  const app = (id: string, text = '', version = '1') => ({
    id: `frontends/${id}`,
    copies: [{ unit: `${id}.service` }],
    text,
    version,
    minHealthy: -1,
  });
  const none = { stop: [], start: [], restart: [], reload: [] };
  const act = (before: ReturnType<typeof app>[], after: ReturnType<typeof app>[], units: object = {}) =>
    appChanges(before, after, { ...none, ...units }).map(({ id, action }) => `${id} ${action}`);

  it.each([
    ['nothing', [app('a')], [app('a')], {}, []],
    ['a unit that restarts', [app('a')], [app('a')], { restart: ['a.service'] }, ['frontends/a restart']],
    ['a unit that stops', [app('a')], [app('a')], { stop: ['a.service'] }, ['frontends/a stop']],
    ['a unit that starts', [app('a')], [app('a')], { start: ['a.service'] }, ['frontends/a start']],
    ['a unit that reloads', [app('a')], [app('a')], { reload: ['a.service'] }, []],
    ['another declaration', [app('a')], [app('a', 'port')], {}, ['frontends/a restart']],
    ['a new app', [], [app('a')], { start: ['a.service'] }, ['frontends/a start']],
    ['an app that goes', [app('a')], [], { stop: ['a.service'] }, ['frontends/a stop']],
  ] as const)('%s', (_what, before, after, units, expected) => {
    expect(act([...before], [...after], units)).toEqual(expected);
  });
  it('carry the versions of both sides', () => {
    const [change] = appChanges([app('a', 'x', '1')], [app('a', 'y', '2')], none);
    expect(change).toMatchObject({ fromVersion: '1', toVersion: '2', minHealthy: -1 });
  });
});

it('reads the comparison of closures without its colours', () => {
  const code = String.fromCharCode(27);
  expect(parseDiffClosures(`hello: 1 → 2, ${code}[31;1m+5 KiB${code}[0m\n\ncurl: ∅ → ε\n`)).toEqual([
    'hello: 1 → 2, +5 KiB',
    'curl: ∅ → ε',
  ]);
});
