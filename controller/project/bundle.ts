/** Project files, a node and the facts of the cluster make the node's bundle. Pure: same input, same revision. */
import { type BundleFile, checkFiles, revisionOf, sha256 } from '../../shared/bundle/manifest.js';
import { Problem } from '../../shared/errors.js';
import type { ClusterConfig, NodeConfig } from './cluster-config.js';
import { type ClusterFacts, clusterJson } from './cluster-json.js';
import { type PlaceholderValues, replacePlaceholders } from './placeholders.js';

export interface ProjectFile {
  content: Buffer;
  /** 0o644 or 0o755. */
  mode: number;
}

/** Files of the project folder by their relative path. */
export type ProjectFiles = ReadonlyMap<string, ProjectFile>;

/** The programs that run on nodes, as built into dist/. */
export interface Programs {
  agent: Buffer;
  mesh: Buffer;
  controller: Buffer;
}

export interface Bundle {
  node: string;
  revision: string;
  files: readonly BundleFile[];
  /** Content by sha256. */
  contents: ReadonlyMap<string, Buffer>;
}

export interface BundleInput {
  config: ClusterConfig;
  node: NodeConfig;
  facts: ClusterFacts;
  files: ProjectFiles;
  programs: Programs;
}

/** Builds the bundle; throws `project.invalid` for a file that must be there, `project.placeholder`, `bundle.invalid`. */
export function buildBundle(input: BundleInput): Bundle {
  const { config, node, facts, files, programs } = input;
  const values = placeholderValues(config, node, facts);
  const filled = (path: string): ProjectFile => {
    const file = files.get(path);
    if (!file) {
      throw new Problem('project.invalid', `The project has no ${path}`, { node: node.name, where: path });
    }
    return {
      ...file,
      content: Buffer.from(replacePlaceholders(file.content.toString('utf8'), path, values)),
    };
  };
  const made = new Map<string, ProjectFile>();
  made.set('flake.nix', filled('flake.nix'));
  made.set('configuration.nix', filled('configuration.nix'));
  made.set('node_type.nix', filled(`node_types/${node.kind}_node.nix`));
  if (files.has(`nodes/${node.name}.nix`)) made.set('node.nix', filled(`nodes/${node.name}.nix`));
  for (const [path, file] of files) {
    if (path.startsWith('modules/') || path.startsWith('app_modules/') || path === 'flake.lock')
      made.set(path, file);
  }
  made.set('cluster.json', plain(`${JSON.stringify(clusterJson(config, node, facts), null, 2)}\n`));
  made.set('nix-infra/agent.cjs', plain(programs.agent));
  made.set('nix-infra/mesh.cjs', plain(programs.mesh));
  if (node.kind === 'control') made.set('nix-infra/controller.cjs', plain(programs.controller));
  return sealed(node.name, made);
}

function sealed(node: string, made: ReadonlyMap<string, ProjectFile>): Bundle {
  const contents = new Map<string, Buffer>();
  const entries = [...made].map(([path, { content, mode }]) => {
    const hash = sha256(content);
    contents.set(hash, content);
    return { path, mode, sha256: hash, size: content.length };
  });
  entries.sort((a, b) => (a.path < b.path ? -1 : 1));
  checkFiles(entries);
  return { node, revision: revisionOf(node, entries), files: entries, contents };
}

function plain(content: string | Buffer): ProjectFile {
  return { content: Buffer.from(content), mode: 0o644 };
}

/** Every key that a placeholder of this node may name; the predecessor's, for project folders made for it. */
function placeholderValues(config: ClusterConfig, node: NodeConfig, facts: ClusterFacts): PlaceholderValues {
  const control = config.nodes.filter(({ kind }) => kind === 'control');
  const perNode = config.nodes.flatMap(({ name }) => [
    [`${name}.ipv4`, facts.ipv4[name]] as const,
    [`${name}.overlayIp`, facts.overlayIp[name]] as const,
  ]);
  return {
    ...Object.fromEntries(perNode),
    'localhost.hostname': node.name,
    'localhost.ipv4': facts.ipv4[node.name],
    'localhost.overlayIp': facts.overlayIp[node.name],
    nodeName: node.name,
    nixVersion: config.nixos,
    hwArch: 'x86_64-linux',
    sshKey: facts.sshKeys.join('\n'),
    etcdClusterToken: facts.etcdClusterToken,
    etcdCluster: control
      .map(({ name }) => `{ name = "${name}"; ip = "${facts.ipv4[name] ?? ''}"; }`)
      .join(' '),
    'nix-store.trusted-public-keys': '[  ]',
  };
}
