/** Sets of keys as the mesh may meet them, from a seed: sound ones in every spelling, and broken ones among them. */
import { serviceGroups } from '../../shared/names.js';
import { Random } from '../simulation/scheduler.js';

export interface KeySet {
  node: string;
  /** What the node's configuration says; its registration may say something else, or nothing. */
  services: string[];
  entries: { key: string; value: Buffer }[];
}

const appNames = [
  'a',
  'hello',
  'hello-2',
  'db',
  'x9',
  'frontends-a',
  'backends-hello',
  'tcp-in-frontends-a',
  'z'.repeat(63),
];
const nodeNames = ['worker001', 'worker002', 'w', 'ingress-1', `n${'9'.repeat(62)}`];
const badNames = [
  'Big',
  'under_score',
  'dot.ted',
  'trailing-',
  '-leading',
  '9lives',
  'z'.repeat(64),
  'spa ce',
  'new\nline',
  'cr\rlf',
  'tab\t',
  'quo"te',
  "apos'trophe",
  '{{.}}',
  '{{template "x"}}',
  '$HOME',
  '%41',
  'back\\slash',
  '[a-',
  '[',
  '*',
  '?',
  'ünïcode',
  '中文',
  '🚀',
  '#hash',
  'a:80 check\n  server evil 6.6.6.6:666',
  'x\n\nlisten evil\n  bind 0.0.0.0:666\n',
  'nul\0',
  '|',
  'a|b',
  '~',
  'a~b',
  '^',
  '%s%d',
];
const strings = [
  '',
  'http',
  'plain',
  'with "quotes"',
  'back\\slash',
  '\\"',
  '\\\\',
  'tab\tnew\nline',
  '{"port":1}',
  '"publish":{"port":2}',
  '}],[{',
  ': , { } [ ]',
  'ünï 中文 🚀',
  '\u2028\u2029',
  '\u007f\u200b\ufeff',
  '{{.}} {{end}}',
  '\u0001\u001f',
  "it's",
  '$(reboot)',
  '%s',
  '/a/b',
  '\\u0041',
  'services',
  'port',
  '^',
];
const evil = '10.0.0.9:80 check\n  server evil 6.6.6.6:666';

/** JSON text of a value in one of many spellings that mean the same. */
function spell(random: Random, value: unknown): string {
  const style = random.int(0, 4);
  if (style === 0) return JSON.stringify(value);
  if (style === 1) return JSON.stringify(value, undefined, random.pick([1, 2, '\t', '\r\n ']));
  const blank = () => (random.chance(0.3) ? random.pick([' ', '  ', '\n', '\t', '\r\n', ' \n ']) : '');
  const write = (item: unknown): string => {
    if (Array.isArray(item)) return `[${blank()}${item.map(write).join(`${blank()},${blank()}`)}${blank()}]`;
    if (typeof item === 'object' && item !== null) {
      const fields = Object.entries(item).map(([key, one]) => `"${key}"${blank()}:${blank()}${write(one)}`);
      if (style === 3) fields.sort(() => random.next() - 0.5);
      // The last of two fields with one name counts.
      const first = fields[0];
      if (style === 4 && first !== undefined)
        fields.unshift(
          `${first.slice(0, first.indexOf(':') + 1)}${random.pick(['null', '[]', '{"port":9}', '"x"', '7'])}`,
        );
      return `{${blank()}${fields.join(`${blank()},${blank()}`)}${blank()}}`;
    }
    return JSON.stringify(item);
  };
  return `${blank()}${write(value)}${blank()}`;
}

/** Fields that routes do not need, with what could be taken for those that they do. */
function extras(random: Random, depth = 3): Record<string, unknown> {
  const value = (left: number): unknown => {
    switch (random.int(0, left > 0 ? 6 : 4)) {
      case 0:
        return random.pick([0, -1, 1.5, -0.25, 1e21, 1e-7, 80, 65536]);
      case 1:
        return random.pick([true, false, null]);
      case 5:
        return Array.from({ length: random.int(0, 3) }, () => value(left - 1));
      case 6:
        return Object.fromEntries(
          ['port', 'ipv4', 'publish', 'path', 'PROTOCOL']
            .slice(random.int(0, 4))
            .map((key) => [key, value(left - 1)]),
        );
      default:
        return random.pick(strings);
    }
  };
  const keys = ['extra', 'zz', 'name', 'node', 'note', 'list', 'publishes', 'Port'];
  return Object.fromEntries(keys.filter(() => random.chance(0.25)).map((key) => [key, value(depth)]));
}

/** Text that is no sound value, whatever it was made of. */
function breakText(random: Random, text: string): Buffer {
  const bytes = Buffer.from(text);
  const cut = random.int(0, Math.max(0, bytes.length - 1));
  const deep = (open: string, close: string, levels: number) =>
    `{"x":${open.repeat(levels)}1${close.repeat(levels)},${text.slice(1)}`;
  switch (random.int(0, 15)) {
    case 0:
      return bytes.subarray(0, cut);
    case 1: {
      const copy = Buffer.from(bytes);
      if (copy.length > 0) copy[cut] = random.int(0, 255);
      return copy;
    }
    case 2:
      return Buffer.alloc(0);
    case 3:
      return Buffer.from(Array.from({ length: random.int(1, 200) }, () => random.int(0, 255)));
    case 4:
      return Buffer.from(
        random.pick([
          'null',
          '[]',
          '7',
          '"text"',
          'true',
          '{}',
          '[{}]',
          '{',
          '}',
          '""',
          '"',
          '\\',
          '{"a"}',
          '{"a":}',
          '{,}',
        ]),
      );
    case 5:
      return Buffer.from(`${text}${random.pick([',', '}', ' x', '{}', '\0', '"', '\\'])}`);
    case 6:
      return Buffer.from(text.replaceAll('"', "'"));
    case 7:
      return Buffer.from(text.replace('}', ',}'));
    case 8:
      return Buffer.from(`\ufeff${text}`);
    case 9:
      return Buffer.from(
        text.replace(
          /: *([0-9]+)/,
          random.pick([
            ': 0$1',
            ': -$1',
            ': +$1',
            ': $1.',
            ': .$1',
            ': $1e5',
            ': $1.0',
            ': 1e999',
            ': 0x$1',
            ': "$1"',
            ': [$1]',
            ': {"port":$1}',
            ': null',
            ': 70000',
            ': 0',
            `: ${'9'.repeat(400)}`,
            ': NaN',
            ': $1 $1',
            ': 22',
          ]),
        ),
      );
    case 10:
      return Buffer.from(deep('[', ']', random.pick([2, 20, 40, 11_000])));
    case 11:
      return Buffer.from(deep('{"p":', '}', random.pick([2, 20, 40])));
    case 12:
      return Buffer.from(text.replace('{', `{"pad":"${'p'.repeat(random.pick([100, 20_000, 200_000]))}",`));
    case 13:
      return Buffer.from(
        text.replace(
          /[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+/,
          random.pick([
            '0.0.0.0',
            '256.1.1.1',
            '1.2.3',
            '1.2.3.4.5',
            '01.2.3.4',
            '::1',
            'localhost',
            '255.255.255.255',
            '224.0.0.1',
            '10.0.0.-1',
            '10.0.0.1 ',
            '10.0.0.1#',
            '$HOME',
            '10.0.0.1\\u0030',
            '',
            '.',
          ]),
        ),
      );
    case 14:
      return Buffer.from(
        text.replace(/[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+/, () =>
          random.chance(0.5) ? evil : JSON.stringify(evil).slice(1, -1),
        ),
      );
    default:
      return Buffer.from(
        text.replace(
          /"/,
          random.pick([
            '"\\x',
            '"\\u12g4',
            '"\\u12',
            '"\\',
            '"\n',
            '"\u0001',
            '"\\ud800',
            '"\\/',
            '"\\"',
            '""',
          ]),
        ),
      );
  }
}

/** A set of keys; the same seed gives the same set. */
export function keySet(seed: number): KeySet {
  const random = new Random(seed);
  const entries = new Map<string, Buffer>();
  const put = (key: string, value: unknown, brokenChance: number) => {
    const text = spell(random, value);
    entries.set(key, random.chance(brokenChance) ? breakText(random, text) : Buffer.from(text));
  };
  // A third of the sets is sound throughout, a third has a few broken keys, a third is a ruin.
  const broken = random.pick([0, 0.1, 0.6]);
  const node = 'worker001';
  const groups = serviceGroups.filter(() => random.chance(0.7));
  if (random.chance(0.9))
    put(
      `/cluster/nodes/${node}`,
      { name: node, ipv4: '95.1.1.1', services: groups, ...extras(random) },
      broken / 2,
    );
  for (const name of random.pick([nodeNames, badNames]))
    if (random.chance(0.2)) put(`/cluster/nodes/${name}`, { name }, broken);
  const host = () => `10.10.${random.int(0, 255)}.${random.int(0, 255)}`;
  let crowd = random.chance(0.1);
  for (const group of serviceGroups) {
    const names = appNames.filter(() => random.chance(0.3));
    if (broken > 0) names.push(...badNames.filter(() => random.chance(0.15)));
    for (const app of names) {
      const base = `/cluster/${group}/${app}`;
      const port = random.chance(0.15) ? random.pick([80, 22, 65535, 1]) : random.int(1, 65535);
      const health = random.chance(0.3)
        ? {
            health: {
              path: random.pick([
                '/',
                '/ping',
                '/a/b?c=d&e=f',
                '/a b',
                'ping',
                '/x\n  server evil 6.6.6.6:666',
                `/${'p'.repeat(250)}`,
                '/ünï',
                '/a"b',
                '/$HOME',
                7,
                '/{x}',
                '',
              ]),
            },
          }
        : {};
      const env = {
        HOST: '127.0.0.1',
        PATH: random.pick(strings),
        PORT: port,
        PROTOCOL: random.pick(['http', 'tcp', 'HTTP', '', 7]),
        ...(random.chance(0.4) ? { [random.pick(['A', 'publish', 'port'])]: random.pick(strings) } : {}),
      };
      if (random.chance(0.93))
        put(
          `${base}/meta_data`,
          { env, env_prefix: 'APP', ...health, publish: { port, ...extras(random, 1) }, ...extras(random) },
          broken,
        );
      const plain = () => ({
        ipv4: random.chance(0.1) ? '127.0.0.1' : host(),
        node: random.pick([node, 'ünï', 'a b', '_']),
        port,
      });
      const instance = () =>
        random.chance(0.3)
          ? plain()
          : {
              ipv4: random.chance(0.1) ? '127.0.0.1' : host(),
              node,
              port: random.chance(0.8) ? port : random.int(1, 65535),
              ...extras(random),
            };
      const count = crowd ? random.int(100, 400) : random.int(0, 4);
      crowd = false;
      for (const kind of ['instances', 'last'] as const) {
        if (random.chance(kind === 'last' ? 0.5 : 0.25)) continue;
        for (let at = 0; at < count; at++) {
          const id =
            at < nodeNames.length && random.chance(0.7)
              ? (nodeNames[at] as string)
              : `worker${at}${random.chance(0.3) ? `.${random.int(0, 99)}` : ''}`;
          put(`${base}/${kind}/${id}`, instance(), broken);
        }
        if (random.chance(broken))
          put(
            `${base}/${kind}/${random.pick([...badNames, 'w.', 'w.x', 'w.1.2', '.1', 'w..1', 'w.123456', 'w.-1'])}`,
            instance(),
            0,
          );
      }
      if (random.chance(broken / 3))
        entries.set(
          `${base}/${random.pick(['other', 'instances/a/b', 'meta_data/x', 'instances'])}`,
          Buffer.from('x'),
        );
    }
    if (random.chance(broken / 3))
      put(
        `/cluster/${group}/${random.pick(['/', './', 'x/../', ''])}ghost${random.pick(['/', '//', ''])}/meta_data`,
        { publish: { port: 1234 } },
        0,
      );
    if (random.chance(broken / 3))
      entries.set(
        `/cluster/${group}${random.pick(['', '/', '/file', 's/x/meta_data'])}`,
        Buffer.from('{"publish":{"port":7}}'),
      );
  }
  return {
    node,
    services: ['backends', 'services'],
    entries: [...entries].map(([key, value]) => ({ key, value })),
  };
}
