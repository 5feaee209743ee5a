import { expect, it } from 'vitest';
import { servedServers, serves } from './served-revision.js';
import type { Running } from './show-stat.js';

const server = (id: string, status = 'UP', address = '10.0.0.1:80') => ({
  backend: 'hello',
  server: id,
  address,
  status,
  weight: '1',
  sessions: 0,
});
const running = (...servers: Running['servers']): Running => ({
  pid: '1',
  description: '',
  backends: new Set(['hello', 'tcp-in-frontends-hello']),
  servers,
});
const expected = (...ids: string[]) => ({
  backends: [
    {
      backend: 'hello',
      listener: 'tcp-in-frontends-hello',
      servers: ids.map((id) => ({ id, address: '10.0.0.1:80' })),
    },
  ],
  revision: 7,
});

it('tells the servers in rotation, and whether they get requests', () => {
  const now = running(server('w1'), server('w2', 'DOWN'), server('w3', 'DRAIN'), server('w4', 'MAINT'));
  expect(servedServers(now, []).map((one) => `${one.server} ${one.up}`)).toEqual(['w1 true', 'w2 false']);
});

it('tells servers that the next reload would put back as not gone', () => {
  const record = [
    { backend: 'hello', server: 'w1', address: '10.0.0.1:80' },
    { backend: 'hello', server: 'w2', address: '10.0.0.1:80' },
    { backend: 'hello', server: 'w2', address: '10.0.0.2:80' },
  ];
  const told = servedServers(running(server('w1'), server('w2', 'DRAIN')), record);
  expect(told.map((one) => `${one.server} ${one.address} ${one.up}`)).toEqual([
    'w1 10.0.0.1:80 true',
    'w2 10.0.0.1:80 false',
    'w2 10.0.0.2:80 false',
  ]);
});

it.each<[string, boolean, Running, string[]]>([
  ['the same', true, running(server('w1')), ['w1']],
  ['one that is down, which is no matter of etcd', true, running(server('w1', 'DOWN')), ['w1']],
  ['one on its way out', true, running(server('w1'), server('w2', 'DRAIN')), ['w1']],
  ['one too many', false, running(server('w1'), server('w2')), ['w1']],
  ['one too few', false, running(server('w1')), ['w1', 'w2']],
  ['another address', false, running(server('w1', 'UP', '10.0.0.2:80')), ['w1']],
  ['no such backend', false, { ...running(), backends: new Set() }, []],
  ['a backend without a listener', false, { ...running(), backends: new Set(['hello']) }, []],
])('serves: %s', (_, same, now, ids) => {
  expect(serves(now, expected(...ids))).toBe(same);
});
