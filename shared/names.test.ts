import { describe, expect, it } from 'vitest';
import { checkedName, isName, parsePrincipalUri, principalUri } from './names.js';

describe('names', () => {
  it.each(['a', 'worker001', 'etcd-1', 'a'.repeat(63)])('accepts %s', (name) => {
    expect(isName(name)).toBe(true);
  });

  it.each(['', '1a', 'A', 'a_b', 'a.b', '-a', 'a-', 'a'.repeat(64), 'a/b', 'a\nb', '../etc'])(
    'refuses %j',
    (name) => {
      expect(isName(name)).toBe(false);
      expect(() => checkedName(name, 'node')).toThrow(/not a valid node name/);
    },
  );
});

describe('principal URI', () => {
  it('reads what it writes', () => {
    const principal = { cluster: 'demo', kind: 'node', name: 'worker001' } as const;
    expect(parsePrincipalUri(principalUri(principal))).toEqual(principal);
  });

  it.each([
    'nix-infra://demo/node/worker001/extra',
    'nix-infra://demo/root/worker001',
    'nix-infra://demo/node/Worker',
    'spiffe://demo/node/worker001',
    'nix-infra:///node/worker001',
  ])('refuses %s', (uri) => {
    expect(parsePrincipalUri(uri)).toBeUndefined();
  });
});
