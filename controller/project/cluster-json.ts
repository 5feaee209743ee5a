/** cluster.json: all that the Nix files of a node know about the cluster. nixos/ reads it; nothing else crosses. */

import type { NodeKind } from '../../shared/names.js';
import { CONTROLLER_PORT } from '../../shared/protocol.js';
import type { ClusterConfig, NodeConfig } from './cluster-config.js';

/** What is known once servers exist. */
export interface ClusterFacts {
  /** Public address by node. */
  ipv4: Readonly<Record<string, string>>;
  /** Overlay address by node; control nodes have none. */
  overlayIp: Readonly<Record<string, string>>;
  /** Public SSH keys that may log in as root. */
  sshKeys: readonly string[];
  /** NixOS release the cluster was installed with. */
  stateVersion: string;
  /** etcd's initial-cluster-token: fixed for the life of the cluster. */
  etcdClusterToken: string;
}

export interface ClusterJson {
  cluster: string;
  nixosVersion: string;
  stateVersion: string;
  system: string;
  node: {
    name: string;
    kind: NodeKind;
    ipv4: string;
    overlayIp: string | null;
    services: readonly string[];
    interface: string;
  };
  nodes: { name: string; kind: NodeKind; ipv4: string; overlayIp: string | null }[];
  control: { name: string; ipv4: string }[];
  controllerPort: number;
  overlay: { backend: string };
  sshKeys: readonly string[];
  etcdClusterToken: string;
}

/**
 * cluster.json of one node. Nodes without an address yet are left out. A control node sees no overlay addresses: they
 * are reserved through it, so its configuration must not depend on them.
 */
export function clusterJson(config: ClusterConfig, node: NodeConfig, facts: ClusterFacts): ClusterJson {
  const overlayOf = ({ name, kind }: NodeConfig) =>
    node.kind === 'control' || kind === 'control' ? null : (facts.overlayIp[name] ?? null);
  const placed = config.nodes.flatMap((each) => {
    const ipv4 = facts.ipv4[each.name];
    return ipv4 === undefined ? [] : [{ name: each.name, kind: each.kind, ipv4, overlayIp: overlayOf(each) }];
  });
  return {
    cluster: config.name,
    nixosVersion: config.nixos,
    stateVersion: facts.stateVersion,
    system: 'x86_64-linux',
    node: {
      name: node.name,
      kind: node.kind,
      ipv4: facts.ipv4[node.name] ?? '',
      overlayIp: overlayOf(node),
      services: node.services,
      interface: 'eth0',
    },
    nodes: placed,
    control: placed.filter(({ kind }) => kind === 'control').map(({ name, ipv4 }) => ({ name, ipv4 })),
    controllerPort: CONTROLLER_PORT,
    overlay: config.overlay,
    sshKeys: facts.sshKeys,
    etcdClusterToken: facts.etcdClusterToken,
  };
}
