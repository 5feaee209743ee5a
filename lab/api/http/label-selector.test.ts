import { describe, expect, it } from 'vitest';
import { labelsFault, parseSelector } from './label-selector.js';

const rows = { web: { env: 'prod', role: 'web' }, db: { env: 'dev', role: 'db' }, bare: {} };

function chosen(selector: string): string[] {
  const test = parseSelector(selector);
  return Object.entries(rows)
    .filter(([, labels]) => test(labels as Record<string, string>))
    .map(([name]) => name);
}

describe('parseSelector', () => {
  it.each([
    ['env=prod', ['web']],
    ['env==prod', ['web']],
    ['env!=prod', ['db', 'bare']],
    ['env', ['web', 'db']],
    ['!env', ['bare']],
    ['env in (prod,dev)', ['web', 'db']],
    ['env in (dev, x)', ['db']],
    ['env notin (prod)', ['db', 'bare']],
    ['env=prod,!role', []],
    ['env=prod, role in (web,db)', ['web']],
    ['a.b/c', []],
  ])('%s', (selector, expected) => {
    expect(chosen(selector)).toEqual(expected);
  });

  it.each(['a===b', '=b', 'a in ()', 'a in (b', '!a=b', 'a b', 'a,,b', '-a'])('refuses %s', (selector) => {
    expect(() => parseSelector(selector)).toThrow("invalid input in field 'label_selector'");
  });
});

describe('labelsFault', () => {
  it('takes prefixes and empty values', () => {
    expect(labelsFault({ 'nix-infra.dev/role': 'base', empty: '' })).toBeUndefined();
  });

  it.each([[{ 'a b': '' }], [{ a: 'b c' }], [{ [`k${'x'.repeat(63)}`]: '' }], [{ 'hetzner.cloud/x': '' }]])(
    'refuses %o',
    (labels) => {
      expect(labelsFault(labels as Record<string, string>)).toBeTypeOf('string');
    },
  );
});
