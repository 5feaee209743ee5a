import { describe, expect, it } from 'vitest';
import { parseDeclaration } from './declaration.js';
import { canonicalJson } from './keys.js';

const app = {
  name: 'hello',
  group: 'frontends',
  unit: 'hello.service',
  port: 11211,
  bindIp: '10.10.3.0',
  envPrefix: 'HELLO',
  meta_data: { publish: { port: 11211 }, env_prefix: 'HELLO', env: { B: '2', A: '1' } },
  health: { kind: 'http', path: '/ping' },
};
const copy = (n: number) => ({ unit: `hello-${n}.service`, port: 8000 + n, health: { kind: 'tcp' } });
const parse = (change: object) => parseDeclaration(JSON.stringify({ ...app, ...change }), 'hello.json');

describe('a declaration', () => {
  it('has defaults for everything about its check but the kind', () => {
    expect(parse({})).toMatchObject({
      id: 'frontends/hello',
      copies: [
        { name: '', unit: 'hello.service', health: { host: '10.10.3.0', port: 11211, rise: 1, fall: 2 } },
      ],
    });
  });
  it('may have copies, each with its own unit, port and check', () => {
    const { copies } = parse({ unit: undefined, copies: { 1: copy(1), 2: copy(2) } });
    expect(copies.map(({ name, unit, port, health }) => [name, unit, port, health.port])).toEqual([
      ['1', 'hello-1.service', 8001, 8001],
      ['2', 'hello-2.service', 8002, 8002],
    ]);
  });
  it.each([
    [{ name: '../x' }, 'name'],
    [{ group: 'elsewhere' }, 'group'],
    [{ unit: 'hello' }, 'unit'],
    [{ unit: '--now.service; rm' }, 'unit'],
    [{ port: 0 }, 'port'],
    [{ bindIp: 'localhost' }, 'bindIp'],
    [{ health: { kind: 'magic' } }, 'kind'],
    [{ health: { kind: 'exec' } }, 'command'],
    [{ meta_data: 'x' }, 'meta_data'],
    [{ version: 2 }, 'version'],
    [{ minHealthy: 0.5 }, 'minHealthy'],
    [{ copies: {} }, 'copies'],
    [{ copies: [copy(1)] }, 'copies'],
    [{ copies: { '0': copy(1) } }, 'copies'],
    [{ copies: { '01': copy(1) } }, 'copies'],
    [{ copies: { '1\n': copy(1) } }, 'copies'],
    [{ copies: { '../1': copy(1) } }, 'copies'],
    [{ copies: { '1': copy(1), '2': copy(1) } }, 'copies'],
    [{ copies: { '1': copy(1), '2': { ...copy(2), port: 8001 } } }, 'copies'],
    [{ copies: { '1': { ...copy(1), port: 0 } } }, 'port'],
    [{ copies: { '1': { ...copy(1), unit: 'x' } } }, 'unit'],
    [{ copies: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [n + 1, copy(n)])) }, 'copies'],
  ])('%o is refused with the key', (change, key) => {
    expect(() => parse(change)).toThrow(
      expect.objectContaining({ code: 'daemon.config', where: expect.stringContaining(key) }),
    );
  });
  it('may say its version and how many instances must stay healthy', () => {
    expect(parse({})).toMatchObject({ version: '', minHealthy: -1 });
    // As Nix writes an option that is null.
    expect(parse({ version: '2', minHealthy: null })).toMatchObject({ version: '2', minHealthy: -1 });
    expect(parse({ minHealthy: 0 })).toMatchObject({ minHealthy: 0 });
  });
  it('has its meta_data written with sorted keys', () => {
    expect(canonicalJson(parse({}).metaData)).toBe(
      '{"env":{"A":"1","B":"2"},"env_prefix":"HELLO","publish":{"port":11211}}',
    );
  });
});
