import { describe, expect, it } from 'vitest';
import { type BundleInput, buildBundle, type ProjectFile } from './bundle.js';
import { parseClusterConfig } from './cluster-config.js';

const config = parseClusterConfig(`name: demo
nixos: "25.05"
nodes:
  control: [etcd001]
  cluster: { worker001: { services: [backends] } }
`);
const file = (text: string, mode = 0o644): ProjectFile => ({ content: Buffer.from(text), mode });
const files = new Map([
  ['flake.nix', file('nixos-[%%nixVersion%%]')],
  ['configuration.nix', file('{ }')],
  ['modules/default.nix', file('[%%left alone%%]')],
  ['node_types/control_node.nix', file('{ c = 1; }')],
  ['node_types/cluster_node.nix', file('{ n = 1; }')],
  ['nodes/worker001.nix', file('{\n  ip = "[%%localhost.overlayIp%%]"; etcd = "[%%etcd001.ipv4%%]";\n}')],
  ['app_modules/hello/action.sh', file('#!/bin/sh', 0o755)],
]);

function build(name: string, change: Partial<BundleInput> = {}) {
  const node = config.nodes.find((each) => each.name === name);
  if (!node) throw new Error(name);
  const facts = {
    ipv4: { etcd001: '10.0.0.1', worker001: '10.0.0.2' },
    overlayIp: { worker001: '10.10.0.0' },
    sshKeys: ['ssh-ed25519 AAAA'],
    etcdClusterToken: 'demo-token',
    stateVersion: '25.05',
  };
  const programs = {
    agent: Buffer.from('agent'),
    mesh: Buffer.from('mesh'),
    controller: Buffer.from('controller'),
  };
  return buildBundle({ config, node, facts, files, programs, ...change });
}

const textOf = (bundle: ReturnType<typeof build>, path: string) =>
  bundle.contents.get(bundle.files.find((each) => each.path === path)?.sha256 ?? '')?.toString();

describe('bundle', () => {
  it('holds what the node needs and nothing of other nodes', () => {
    expect(build('worker001').files.map(({ path, mode }) => `${mode.toString(8)} ${path}`)).toEqual([
      '755 app_modules/hello/action.sh',
      '644 cluster.json',
      '644 configuration.nix',
      '644 flake.nix',
      '644 modules/default.nix',
      '644 nix-infra/agent.cjs',
      '644 nix-infra/mesh.cjs',
      '644 node.nix',
      '644 node_type.nix',
    ]);
    expect(build('etcd001').files.map(({ path }) => path)).toContain('nix-infra/controller.cjs');
    expect(build('etcd001').files.map(({ path }) => path)).not.toContain('node.nix');
  });

  it('replaces placeholders, but not in modules', () => {
    const bundle = build('worker001');
    expect(textOf(bundle, 'flake.nix')).toBe('nixos-25.05');
    expect(textOf(bundle, 'node.nix')).toContain('ip = "10.10.0.0"; etcd = "10.0.0.1"');
    expect(textOf(bundle, 'modules/default.nix')).toBe('[%%left alone%%]');
  });

  it.each([
    ['[%%nobody.ipv4%%]', 'known ones are'],
    ['[%%etcd001.overlayIp%%]', 'not on this node'],
    ['[%%secrets/db%%]', 'secrets are not deployed'],
  ])('refuses %s with file and line', (text, reason) => {
    const wrong = new Map(files).set('nodes/worker001.nix', file(`{\n  a = ${text};\n}`));
    expect(() => build('worker001', { files: wrong })).toThrow(
      expect.objectContaining({
        code: 'project.placeholder',
        where: 'nodes/worker001.nix:2',
        reason: expect.stringContaining(reason),
      }),
    );
  });

  it('has one revision for one input, and another for a change', () => {
    expect(build('worker001').revision).toBe(
      '84a71486dacb85e59a7ba65db6bb7caf4d5d0488115936572a657440b95faca4',
    );
    expect(build('worker001').revision).toBe(build('worker001').revision);
    const programs = {
      agent: Buffer.from('agent 2'),
      mesh: Buffer.from('mesh'),
      controller: Buffer.from('controller'),
    };
    expect(build('worker001', { programs }).revision).not.toBe(build('worker001').revision);
  });

  it('keeps the revision of a control node when overlay addresses come', () => {
    const facts = {
      ipv4: { etcd001: '10.0.0.1', worker001: '10.0.0.2' },
      overlayIp: {},
      sshKeys: ['ssh-ed25519 AAAA'],
      etcdClusterToken: 'demo-token',
      stateVersion: '25.05',
    };
    expect(build('etcd001', { facts }).revision).toBe(build('etcd001').revision);
  });

  it('names a file that the project lacks', () => {
    const fewer = new Map(files);
    fewer.delete('configuration.nix');
    expect(() => build('worker001', { files: fewer })).toThrow(
      expect.objectContaining({ code: 'project.invalid', where: 'configuration.nix' }),
    );
  });
});
