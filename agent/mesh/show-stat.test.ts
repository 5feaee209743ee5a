import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { csvFields, isOut, isUp, parseAnswer, type Running } from './show-stat.js';

const worker = (text: string): Running => {
  const running = parseAnswer(text);
  if (running === 'stopping') throw new Error('stopping');
  return running;
};

/** What a haproxy 2.6 printed whose servers were in as many states as could be had at once. */
const captured = readFileSync(new URL('show-stat.captured.txt', import.meta.url), 'utf8');

describe('parseAnswer', () => {
  it('reads the servers of a real answer', () => {
    const server = (name: string, port: number, status: string, weight = '1') => ({
      backend: 'hello',
      server: name,
      address: `127.0.0.1:${port}`,
      status,
      weight,
      sessions: 0,
    });
    const { servers, ...rest } = worker(captured);
    expect(rest).toEqual({ pid: expect.stringMatching(/^\d+$/), description: '', backends: new Set() });
    expect(servers).toEqual([
      // Its reason is quoted and contains quotes and a comma.
      server('worker001', 28201, 'UP 4/5'),
      server('worker002', 28202, 'DOWN'),
      server('worker003', 28203, 'DRAIN'),
      server('worker003.1', 28203, 'no check'),
      // On its way up.
      server('worker004', 28204, 'DOWN 1/4'),
      server('worker005', 28203, 'MAINT'),
      server('worker006', 28203, 'no check', '0'),
    ]);
  });

  it('tells backends, open requests and the name of what was loaded', () => {
    const backend = captured
      .split('\n')
      .find((line) => line.startsWith('hello,worker005,'))
      ?.replace('worker005', 'BACKEND')
      .replace(/^((?:[^,]*,){32})2,/, '$11,');
    const text = captured
      .replace(/^Pid: /m, 'description: load-1\nPid: ')
      .replace('hello,worker005,0,0,0,', 'hello,worker005,0,0,7,');
    const { backends, description, servers } = worker(`${text}${backend}\n`);
    expect({ backends, description }).toEqual({ backends: new Set(['hello']), description: 'load-1' });
    expect(servers.map(({ sessions }) => sessions)).toEqual([0, 0, 0, 0, 0, 7, 0]);
  });

  it('does not listen to a worker that is on its way out', () => {
    expect(parseAnswer(captured.replace('Stopping: 0', 'Stopping: 1'))).toBe('stopping');
  });

  it('knows an answer without servers from no answer', () => {
    expect(worker(captured.replace(/^hello,.*\n/gm, '')).servers).toEqual([]);
    for (const wrong of [
      '',
      'Permission denied\n',
      captured.slice(0, captured.indexOf('# pxname')),
      captured.slice(captured.indexOf('# pxname')),
      captured.trimEnd(),
      captured.replace(',addr,', ',other,'),
      captured.replace(/^Pid: /m, 'Pud: '),
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

it.each([
  ['UP', false],
  ['DOWN', false],
  ['no check', false],
  ['DRAIN', true],
  ['DRAIN (agent)', true],
  ['MAINT', true],
  ['MAINT (via other/one)', true],
])('a server that is %s was taken out of rotation: %s', (status, out) => {
  expect(isOut(status)).toBe(out);
});
