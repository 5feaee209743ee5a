import { describe, expect, it } from 'vitest';
import { isInstanceId, isServerAddress, readInstance, readMetaData, readServices } from './registered.js';
import { holds, parseRendered } from './rendered.js';
import { type Routes, readRoutes } from './routes.js';
import { capped } from './warnings.js';

const text = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

function routes(keys: Record<string, unknown>): Routes {
  const entries = { 'nodes/w1': { services: ['frontends', 'backends'] }, ...keys };
  return readRoutes(
    Object.entries(entries).map(([key, value]) => ({ key: `/cluster/${key}`, value: text(value) })),
    { node: 'w1', services: ['services'] },
  );
}
const meta = (port: unknown) => ({ publish: { port } });
const at = (ipv4: string, port = 80) => ({ node: 'w1', ipv4, port });
const found = ({ routes: all, warnings }: Routes) => [
  ...all.map(({ listener, port, backend, servers }) =>
    [listener, port, backend, ...servers.map(({ id }) => id)].join(' '),
  ),
  ...warnings.map(({ code, subject }) => `${code} ${subject}`),
];

describe('readRoutes', () => {
  it.each<[string, Record<string, unknown>, string[]]>([
    [
      'an app',
      { 'frontends/a/meta_data': meta(80), 'frontends/a/instances/w1': at('10.0.0.1') },
      ['tcp-in-frontends-a 80 a w1'],
    ],
    ['instances without an app', { 'frontends/a/instances/w1': at('10.0.0.1') }, []],
    ['a group that the node does not use', { 'services/a/meta_data': meta(80) }, []],
    [
      'an app whose instances all went with their leases',
      { 'frontends/a/meta_data': meta(80), 'frontends/a/last/w2': at('10.0.0.2') },
      ['tcp-in-frontends-a 80 a w2', 'mesh.held frontends/a'],
    ],
    [
      'stale last ones beside one that is registered',
      {
        'frontends/a/meta_data': meta(80),
        'frontends/a/last/w2': at('10.0.0.2'),
        'frontends/a/instances/w1': at('10.0.0.1'),
      },
      ['tcp-in-frontends-a 80 a w1'],
    ],
    [
      'a name in two groups, and one that looks like the way out',
      {
        'frontends/a/meta_data': meta(1),
        'frontends/backends-a/meta_data': meta(2),
        'backends/a/meta_data': meta(3),
      },
      [
        'tcp-in-frontends-a 1 a',
        'tcp-in-frontends-backends-a 2 backends-a',
        'tcp-in-backends-a 3 backends.a',
      ],
    ],
    [
      'a port that two want',
      { 'backends/a/meta_data': meta(80), 'frontends/b/meta_data': meta(80) },
      ['tcp-in-frontends-b 80 b', 'mesh.conflict backends/a'],
    ],
    ['the port of sshd', { 'frontends/a/meta_data': meta(22) }, ['mesh.conflict frontends/a']],
    [
      'a broken app beside a sound one',
      { 'frontends/a/meta_data': '{', 'frontends/b/meta_data': meta(80) },
      ['tcp-in-frontends-b 80 b', 'mesh.invalid /cluster/frontends/a/meta_data'],
    ],
    [
      'an instance that is the listener itself',
      { 'frontends/a/meta_data': meta(80), 'frontends/a/instances/w1': at('127.0.0.1') },
      ['tcp-in-frontends-a 80 a', 'mesh.invalid /cluster/frontends/a/instances/w1'],
    ],
    [
      'a name that is none',
      { 'frontends/a\nb/meta_data': meta(80) },
      ['mesh.invalid /cluster/frontends/a\\nb'],
    ],
    [
      'a registration that is not sound',
      { 'nodes/w1': '', 'services/a/meta_data': meta(80) },
      ['tcp-in-services-a 80 a', 'mesh.invalid /cluster/nodes/w1'],
    ],
    [
      'a key that confd takes for another',
      { 'frontends/x/../a/meta_data': meta(80) },
      ['tcp-in-frontends-a 80 a', 'mesh.invalid /cluster/frontends/x/../a/meta_data'],
    ],
  ])('%s', (_, keys, expected) => {
    expect(found(routes(keys))).toEqual(expected);
  });
});

it.each<[unknown, number | undefined]>([
  [meta(80), 80],
  ['{ "publish" : {"port":1}, "publish":{"port" : 65535} }', 65_535],
  ['{"publish":{"port":80},"publish":{}}', undefined],
  ['{"publish":{"port":80},"publish":null}', undefined],
  ['{"publish":[{"port":80}]}', undefined],
  ['{"env":{"publish":{"port":80}}}', undefined],
  ['{"env":{"X":"\\"publish\\":{\\"port\\":80}"}}', undefined],
  ...[0, 65_536, -80, 80.5, '80', null, [80], { port: 80 }].map((port): [unknown, undefined] => [
    meta(port),
    undefined,
  ]),
  ...[
    '',
    '[]',
    'null',
    '80',
    '{"publish":{"port":80}',
    '{"publish":{"port":80},}',
    '{"publish":{"port":080}}',
    '{"publish":{"port":80.0}}',
    '{"publish":{"port":8e1}}',
    '\ufeff{"publish":{"port":80}}',
  ].map((one): [unknown, undefined] => [one, undefined]),
  [{ ...meta(80), x: 'x'.repeat(16_384) }, undefined],
  [`{"x":${'['.repeat(31)}${']'.repeat(31)},"publish":{"port":80}}`, 80],
  [`{"x":${'['.repeat(32)}${']'.repeat(32)},"publish":{"port":80}}`, undefined],
])('the port of %j', (value, port) => {
  expect(readMetaData(text(value))?.port).toBe(port);
});

it.each<[unknown, string, boolean]>([
  ['/ping', '/ping', false],
  ['/a?b=c&d', '/a?b=c&d', false],
  ['', '', false],
  ['ping', '', true],
  ['/a b', '', true],
  ['/a\n server evil', '', true],
  [7, '', false],
])('the health path %j', (path, healthPath, pathRefused) => {
  expect(readMetaData(text({ ...meta(80), health: { path } }))).toMatchObject({ healthPath, pathRefused });
});

it.each<[unknown, string | undefined]>([
  [{ port: 80, ipv4: '10.0.0.1' }, '10.0.0.1:80'],
  ['{"port":80,"ipv4":"10.0.0.1","ipv4":["10.0.0.2"]}', undefined],
  ['{"port":80,"ipv4":"10.0.0.1 check\\n server"}', undefined],
  ['{"port":80,"ipv4":"10.0.0.\\u0031"}', undefined],
])('the instance %j', (value, address) => {
  expect(readInstance(text(value))).toBe(address);
});

it.each<[unknown, string[] | undefined]>([
  [{ services: ['a', 'b'] }, ['a', 'b']],
  [{ services: [] }, []],
  [{ services: ['a', 7, ['b'], { c: 'd' }] }, ['a']],
  [{ services: 'a' }, undefined],
  ['{"services":["a"],"services":7}', undefined],
])('the groups of %j', (value, groups) => {
  expect(readServices(text(value))).toEqual(groups);
});

it.each(['w1', 'worker001.12', 'a-b.0'])('%s is the id of an instance', (id) =>
  expect(isInstanceId(id)).toBe(true),
);
it.each(['', '.1', 'w1.', 'w1.x', 'w1.1.2', 'W', 'w_', 'w1.123456', 'a\n', 'w1.1\n'])('%j is no id', (id) =>
  expect(isInstanceId(id)).toBe(false),
);
it.each(['10.10.5.0', '127.0.0.1', '223.255.255.255'])('%s is an address', (ip) =>
  expect(isServerAddress(ip)).toBe(true),
);
it.each(['', '0.0.0.0', '224.0.0.1', '10.0.0.256', '10.0.0', '10.0.0.01', '::1', '10.0.0.1\n', ' 10.0.0.1'])(
  '%j is no address',
  (ip) => expect(isServerAddress(ip)).toBe(false),
);

it('knows a file that holds the routes from one that does not', () => {
  const { routes: all } = routes({
    'frontends/a/meta_data': { ...meta(80), env: { PROTOCOL: 'http' } },
    'frontends/a/instances/w1': at('10.0.0.1'),
  });
  const file =
    'listen tcp-in-frontends-a\n  bind 127.0.0.1:80\n  mode http\n  use_backend a\n  backend a\n    server w1 10.0.0.1:80 check\n';
  expect(holds(parseRendered(file), all)).toBe(true);
  for (const [from, to] of [
    ['10.0.0.1', '10.0.0.2'],
    ['server w1', 'server w2'],
    ['  mode http\n', ''],
    [':80\n', ':81\n'],
    ['use_backend a', 'use_backend b'],
  ] as const)
    expect(holds(parseRendered(file.replace(from, to)), all)).toBe(false);
});

it('does not tell more warnings than an operator can read', () => {
  const many = Array.from({ length: 60 }, (_, at) => ({
    code: 'mesh.invalid',
    subject: String(at),
    message: '',
  }));
  expect(capped(many)).toHaveLength(51);
  expect(capped(many).at(-1)?.message).toBe('and 10 more');
  expect(capped(many.slice(0, 50))).toHaveLength(50);
});
