import { describe, expect, it } from 'vitest';
import { type BundleFile, checkFiles, MAX_FILES, revisionOf, sha256 } from './manifest.js';

const file = (path: string, over: Partial<BundleFile> = {}): BundleFile => ({
  path,
  mode: 0o644,
  sha256: sha256(path),
  size: 1,
  ...over,
});

describe('revisionOf', () => {
  it('does not depend on the order of files', () => {
    const a = [file('a'), file('b/c')];
    expect(revisionOf('n', a)).toBe(revisionOf('n', [...a].reverse()));
  });

  it('changes with node, path, mode and content', () => {
    const base = revisionOf('n', [file('a')]);
    const others = [
      revisionOf('m', [file('a')]),
      revisionOf('n', [file('b')]),
      revisionOf('n', [file('a', { mode: 0o755 })]),
      revisionOf('n', [file('a', { sha256: sha256('x') })]),
    ];
    expect(new Set([base, ...others]).size).toBe(5);
  });
});

describe('checkFiles', () => {
  it('accepts plain relative paths', () => {
    expect(() => checkFiles([file('flake.nix'), file('modules/a/b.nix', { mode: 0o755 })])).not.toThrow();
  });

  it.each(['/etc/passwd', '../x', 'a/../../x', 'a//b', './a', '', 'a\\b', 'a\nb', 'a\0b'])(
    'refuses path %j',
    (path) => {
      expect(() => checkFiles([file(path)])).toThrow('not acceptable');
    },
  );

  it('refuses duplicates, odd modes, bad hashes and too much', () => {
    expect(() => checkFiles([file('a'), file('a')])).toThrow();
    expect(() => checkFiles([file('a', { mode: 0o4755 })])).toThrow();
    expect(() => checkFiles([file('a', { sha256: 'zz' })])).toThrow();
    expect(() => checkFiles([file('a', { size: 1e9 })])).toThrow();
    expect(() => checkFiles(Array.from({ length: MAX_FILES + 1 }, (_, i) => file(`f${i}`)))).toThrow();
  });
});
