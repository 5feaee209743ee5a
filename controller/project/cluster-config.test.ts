import { describe, expect, it } from 'vitest';
import { Problem } from '../../shared/errors.js';
import { parseClusterConfig } from './cluster-config.js';

const good = `name: demo
nixos: "25.05"
nodes:
  control: [etcd001, etcd002, etcd003]
  cluster:
    worker001: { services: [backends], tags: [edge] }
    worker002:
      type: cpx41
  ingress:
    ingress001: {}
`;

function mistake(text: string): { where: string | undefined; reason: string | undefined; code: string } {
  try {
    parseClusterConfig(text);
  } catch (error) {
    const { where, reason, code } = error as Problem;
    return { where, reason, code };
  }
  throw new Error('was accepted');
}

describe('cluster.yaml', () => {
  it('fills in defaults and keeps the order of the file', () => {
    const config = parseClusterConfig(good);
    expect(config.nodes.map(({ name, kind }) => `${kind}/${name}`)).toEqual([
      'control/etcd001',
      'control/etcd002',
      'control/etcd003',
      'cluster/worker001',
      'cluster/worker002',
      'ingress/ingress001',
    ]);
    expect(config.nodes[4]).toMatchObject({ type: 'cpx41', location: 'hel1', services: [] });
    expect(config.overlay.backend).toBe('wireguard');
  });

  it.each([
    ['an unknown key', good.replace('nodes:', 'colour: red\nnodes:'), 3, 'unknown key "colour"'],
    ['an unknown key of a node', good.replace('type: cpx41', 'typ: cpx41'), 8, 'unknown key "typ"'],
    ['a bad name in a list', good.replace('etcd002', 'Etcd_2'), 4, 'not a node name'],
    ['a bad name in a map', good.replace('worker001', '1worker'), 6, 'not a node name'],
    ['a duplicate in a list', good.replace('etcd003', 'etcd001'), 4, 'a second time'],
    ['a duplicate over groups', good.replace('ingress001', 'worker001'), 10, 'a second time'],
    ['a duplicate key', good.replace('worker002', 'worker001'), 7, 'unique'],
    ['a control plane of two', good.replace(', etcd003', ''), 4, 'control plane of 2'],
    ['a service group that is none', good.replace('backends', 'backend'), 6, 'services'],
    ['a version that is a number', good.replace('"25.05"', '25.05'), 2, 'in quotes'],
    ['no name', good.replace('name: demo\n', ''), 1, 'name'],
    ['no YAML', `${good}  - what\n : is this`, 11, ''],
  ])('refuses %s with its line', (_what, text, line, reason) => {
    const found = mistake(text);
    expect(found).toMatchObject({ code: 'config.invalid', where: `cluster.yaml:${line}` });
    expect(found.reason).toContain(reason);
  });

  it('takes image and backend from the environment first', () => {
    const env = { NIX_INFRA_IMAGE: 'nixos-lab', NIX_INFRA_OVERLAY_BACKEND: 'vxlan' };
    const config = parseClusterConfig(good, 'cluster.yaml', env);
    expect([config.provider.image, config.overlay.backend]).toEqual(['nixos-lab', 'vxlan']);
    expect(() => parseClusterConfig(good, 'cluster.yaml', { NIX_INFRA_OVERLAY_BACKEND: 'gre' })).toThrow(
      Problem,
    );
  });
});
