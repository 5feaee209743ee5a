import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { csvFields, isUp, parseAnswer } from './show-stat.js';

/** What a haproxy 2.6 printed whose servers were in as many states as could be had at once. */
const captured = readFileSync(new URL('show-stat.captured.txt', import.meta.url), 'utf8');

describe('parseAnswer', () => {
  it('reads the servers of a real answer', () => {
    const server = (name: string, port: number, up: boolean) => ({
      backend: 'hello',
      server: name,
      address: `127.0.0.1:${port}`,
      up,
    });
    expect(parseAnswer(captured)).toEqual([
      // UP 4/5, with a quoted reason that contains quotes and a comma.
      server('worker001', 28201, true),
      // DOWN
      server('worker002', 28202, false),
      // DRAIN
      server('worker003', 28203, false),
      // no check
      server('worker003.1', 28203, true),
      // DOWN 1/4, on its way up
      server('worker004', 28204, false),
      // MAINT
      server('worker005', 28203, false),
      // weight 0
      server('worker006', 28203, false),
    ]);
  });

  it('does not listen to a worker that is on its way out', () => {
    expect(parseAnswer(captured.replace('Stopping: 0', 'Stopping: 1'))).toBe('stopping');
  });

  it('knows an answer without servers from no answer', () => {
    expect(parseAnswer(captured.replace(/^hello,.*\n/gm, ''))).toEqual([]);
    for (const wrong of [
      '',
      'Permission denied\n',
      captured.slice(0, captured.indexOf('# pxname')),
      captured.slice(captured.indexOf('# pxname')),
      captured.trimEnd(),
      captured.replace(',addr,', ',other,'),
    ])
      expect(() => parseAnswer(wrong)).toThrow();
  });
});

it.each([
  ['a,b', ['a', 'b']],
  ['a,,', ['a', '', '']],
  ['"a,b",c', ['a,b', 'c']],
  ['"say ""no"", please",c', ['say "no", please', 'c']],
  ['"",c', ['', 'c']],
])('csvFields %s', (line, fields) => {
  expect(csvFields(line)).toEqual(fields);
});

it.each([
  ['UP', '1', true],
  ['UP 1/2', '1', true],
  ['no check', '1', true],
  ['UP', '0', false],
  ['DOWN', '1', false],
  ['DOWN 1/2', '1', false],
  ['DRAIN', '1', false],
  ['MAINT', '1', false],
  ['MAINT (via other/one)', '1', false],
  ['NOLB', '1', false],
  ['', '1', false],
])('a server that is %s with weight %s gets requests: %s', (status, weight, up) => {
  expect(isUp(status, weight)).toBe(up);
});
