import { describe, expect, it } from 'vitest';
import { instanceId, lastKeyOf, ownInstanceKey } from './keys.js';
import { strayInstances } from './strays.js';

const value = (port: number, node = 'worker001') => JSON.stringify({ ipv4: '10.10.3.0', node, port });
const entry = (key: string, text: string) => ({
  key,
  value: Buffer.from(text),
  lease: '0',
  modRevision: 1,
  createRevision: 1,
});
const hello = '/cluster/frontends/hello/instances/worker001';
const declared = new Map([
  [hello, value(80)],
  ['/cluster/backends/db/instances/worker001.1', value(81)],
]);

describe('strays', () => {
  it.each<[string, string, string, string[]]>([
    ['a declared instance', hello, value(80), []],
    ['the same with other words', hello, '{"port":80,"ipv4":"10.10.3.0","node":"worker001","x":1}', []],
    ['another address', hello, value(79), [hello]],
    ['no JSON', hello, 'x', [hello]],
    ['a remembered one with another address', lastKeyOf(hello), value(79), [hello]],
    [
      'an app that is not declared',
      '/cluster/frontends/old/last/worker001',
      value(1),
      ['/cluster/frontends/old/instances/worker001'],
    ],
    [
      'a copy that is not declared',
      '/cluster/backends/db/last/worker001.2',
      value(82),
      ['/cluster/backends/db/instances/worker001.2'],
    ],
    ['another node', '/cluster/frontends/old/last/worker0011', value(1), []],
    ['a copy on another node', '/cluster/frontends/old/instances/worker002.1', value(1), []],
    ['meta data', '/cluster/frontends/old/meta_data', '{}', []],
    ['a node', '/cluster/nodes/worker001', '{}', []],
    ['a group that is none', '/cluster/nodes/x/instances/worker001', '{}', []],
    ['a deeper key', '/cluster/frontends/old/instances/worker001/x', '{}', []],
  ])('%s', (_, key, text, strays) => {
    expect(strayInstances([entry(key, text)], 'worker001', declared)).toEqual(strays);
  });
  it('names each once', () => {
    const both = [hello, lastKeyOf(hello)].map((key) => entry(key, value(79)));
    expect(strayInstances(both, 'worker001', declared)).toEqual([hello]);
  });
});

it('names instances by node and copy', () => {
  expect([instanceId('worker001', ''), instanceId('worker001', '2')]).toEqual(['worker001', 'worker001.2']);
  expect(ownInstanceKey(hello, 'worker001')).toBe(hello);
});
