import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { etcdCommand, prefixed } from './remote.js';
import { tarOf } from './tar.js';

describe('commands on nodes', () => {
  it('prefixes every line, and the end after the last newline, as the predecessor', () => {
    expect(prefixed({ node: 'n1', code: 0, text: 'active\n' })).toBe('n1: active\nn1: \n');
    expect(prefixed({ node: 'n1', code: 0, text: '' })).toBe('n1: \n');
  });

  it.each([
    [['/cluster'], 'etcdctl get --prefix /cluster'],
    [['nodes'], 'etcdctl get --prefix /cluster/nodes'],
    [['ctl', 'get --prefix /cluster'], 'etcdctl get --prefix /cluster'],
    [['endpoint', 'health'], 'etcdctl endpoint health'],
    [[], 'etcdctl'],
  ])('etcd %j runs %s', (words, command) => {
    expect(etcdCommand('etcd001', words).endsWith(command)).toBe(true);
  });
});

describe('archive', () => {
  it('is one that tar unpacks, with long paths and modes', () => {
    const dir = mkdtempSync(join(tmpdir(), 'tar-'));
    try {
      const long = `${'folder/'.repeat(18)}file.nix`;
      const content = Buffer.from('x'.repeat(513));
      const archive = tarOf([
        { path: 'a.sh', mode: 0o755, content: Buffer.from('hi') },
        { path: long, mode: 0o644, content },
        { path: 'empty', mode: 0o400, content: Buffer.alloc(0) },
      ]);
      execFileSync('tar', ['-x', '-C', dir], { input: archive });
      expect(readFileSync(join(dir, long))).toEqual(content);
      expect(
        execFileSync('stat', ['-c', '%a', join(dir, 'a.sh'), join(dir, 'empty')], { encoding: 'utf8' }),
      ).toBe('755\n400\n');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
