import { describe, expect, it } from 'vitest';
import type { NodeConfig } from './cluster-config.js';
import { selectNodes } from './selector.js';

const node = (name: string, tags: string[] = [], kind: NodeConfig['kind'] = 'cluster'): NodeConfig => ({
  name,
  kind,
  services: [],
  type: 't',
  location: 'l',
  tags,
});
const nodes = [node('etcd001', [], 'control'), node('web1', ['eu']), node('web2'), node('db1', ['eu'])];

describe('selector', () => {
  it.each([
    ['web1', 'web1'],
    ['web*', 'web1 web2'],
    ['web?,etcd001', 'etcd001 web1 web2'],
    ['@eu', 'web1 db1'],
    ['@control web2', 'etcd001 web2'],
    ['*', 'etcd001 web1 web2 db1'],
  ])('%s is %s', (selector, names) => {
    expect(
      selectNodes(nodes, selector)
        .map(({ name }) => name)
        .join(' '),
    ).toBe(names);
  });

  it.each(['web', 'web.', '@us', 'web1,nope', ' '])('refuses "%s"', (selector) => {
    expect(() => selectNodes(nodes, selector)).toThrow();
  });
});
