import { expect, it } from 'vitest';
import { otherServers, type ReloadFacts, reloadReason } from './reload-check.js';
import { voucherText } from './served-voucher.js';
import type { Running } from './show-stat.js';

const config = (servers: Record<string, string>) => `global
  maxconn 8000

# frontends: hello
listen tcp-in-frontends-hello
  bind 127.0.0.1:8080
  use_backend hello

  backend hello
    # Why.
    default-server inter 500ms
${Object.entries(servers)
  .map(([id, address]) => `    server ${id} ${address} check tcp-ut 1s\n`)
  .join('')}
`;
const named = (text: string, name = 'load-1') => `${text}\nglobal\n  description ${name}\n`;
const running = (servers: Record<string, string>, change: Partial<Running> = {}): Running => ({
  pid: '1',
  description: 'load-1',
  backends: new Set(['hello']),
  servers: Object.entries(servers).map(([server, address]) => ({
    backend: 'hello',
    server,
    address,
    status: 'UP',
    weight: '1',
    sessions: 0,
  })),
  ...change,
});
const one = { w1: '10.0.0.1:80' };
const two = { ...one, w2: '10.0.0.2:80' };

const reason = (change: Partial<ReloadFacts>) =>
  reloadReason({
    file: config(two),
    loaded: named(config(one)),
    voucher: '',
    stamp: '1-2-3',
    running: running(two),
    ...change,
  });

it('needs no reload where the servers were changed at runtime', () => {
  expect(reason({})).toBeUndefined();
  expect(reason({ file: config(one), running: running(one) })).toBeUndefined();
  expect(reason({ file: config({}), running: running({}) })).toBeUndefined();
});

it('is not troubled by comments, and by servers that are on their way out', () => {
  expect(reason({ file: `${config(two)}\n# left out: another\n\n` })).toBeUndefined();
  const draining = running({ ...two, w3: '10.0.0.3:80' });
  const servers = draining.servers.map((server) =>
    server.server === 'w3' ? { ...server, status: 'DRAIN', sessions: 3 } : server,
  );
  expect(reason({ running: { ...draining, servers } })).toBeUndefined();
});

it('does not take back what the agent has done since the file was written', () => {
  const voucher = voucherText({ stamp: '1-2-3', servers: running(two).servers });
  expect(reason({ file: config(one), voucher })).toBeUndefined();
  expect(reason({ file: config(one), voucher, stamp: '1-2-4' })).toBe(otherServers);
  expect(reason({ file: config(one), voucher, running: running({}) })).toBe(otherServers);
  expect(reason({ file: config(one).replace('8080', '8081'), voucher })).toMatch(/more than servers/);
});

it.each<[string, RegExp, Partial<ReloadFacts>]>([
  ['a server is missing', /other servers/, { running: running(one) }],
  ['one is too many', /other servers/, { file: config(one) }],
  ['one is elsewhere', /other servers/, { running: running({ ...two, w2: '10.0.0.3:80' }) }],
  [
    'one is there that gets nothing',
    /other servers/,
    { running: { ...running(two), servers: running(two).servers.map((s) => ({ ...s, status: 'MAINT' })) } },
  ],
  ['a port changes', /more than servers/, { file: config(two).replace('8080', '8081') }],
  ['a setting changes', /more than servers/, { file: config(two).replace('inter 500ms', 'inter 1s') }],
  [
    'a server line says more',
    /odd line/,
    { file: config(two).replace(/ check tcp-ut 1s$/m, ' check tcp-ut 1s backup') },
  ],
  ['a server has no backend', /odd line/, { file: `server x 10.0.0.1:80 check tcp-ut 1s\n${config(two)}` }],
  ['a reload is under way', /not what was loaded last/, { loaded: named(config(one), 'load-2') }],
  ['the copy has no name', /no name/, { loaded: config(one) }],
  ['there is no copy', /no name/, { loaded: '' }],
  ['haproxy has no name', /not what was loaded last/, { running: running(two, { description: '' }) }],
  ['an old worker answers', /on its way out/, { running: 'stopping' }],
])('reloads where %s', (_, expected, change) => {
  expect(reason(change)).toMatch(expected);
});
