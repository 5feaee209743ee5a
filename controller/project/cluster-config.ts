/** cluster.yaml: its shape, its defaults and its checks. docs/reference/cluster-yaml.md describes every key. */
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { Problem } from '../../shared/errors.js';
import { isName, type NodeKind, nodeKinds, type ServiceGroup, serviceGroups } from '../../shared/names.js';
import { lineOf } from './yaml-lines.js';

export type OverlayBackend = 'wireguard' | 'vxlan';

/** One node as the operator wants it. */
export interface NodeConfig {
  name: string;
  kind: NodeKind;
  /** Groups whose apps the node reaches and may run; empty on control nodes. */
  services: readonly ServiceGroup[];
  /** Server type of the provider, e.g. `cpx22`. */
  type: string;
  location: string;
  /** For selectors: `--on @tag`. */
  tags: readonly string[];
}

/** cluster.yaml with every default filled in. */
export interface ClusterConfig {
  name: string;
  /** NixOS release, e.g. `25.05`. */
  nixos: string;
  provider: { kind: 'hetzner' | 'self-hosted'; image: string; placementGroup: boolean };
  overlay: { backend: OverlayBackend };
  /** Control nodes first, then cluster, then ingress, each in the order of the file. */
  nodes: readonly NodeConfig[];
}

const nodeName = z.string().refine(isName, {
  error: (issue) =>
    `"${String(issue.input)}" is not a node name (lower-case letters, digits, hyphens; a letter first; at most 63)`,
});
const nodeShape = z
  .strictObject({
    services: z.array(z.enum(serviceGroups)).default([]),
    type: z.string().min(1).optional(),
    location: z.string().min(1).optional(),
    tags: z.array(z.string().min(1)).default([]),
  })
  .nullable();
/** Names alone, or names with settings. */
const group = z.union([z.array(nodeName), z.record(nodeName, nodeShape)]);

const shape = z.strictObject({
  name: nodeName,
  nixos: z.string('must be text, in quotes: "25.05"').regex(/^\d\d\.\d\d$/, 'must look like "25.05"'),
  provider: z
    .strictObject({
      kind: z.enum(['hetzner', 'self-hosted']).default('hetzner'),
      image: z.string().min(1).default('nixos'),
      placement_group: z.boolean().default(true),
    })
    .prefault({}),
  defaults: z
    .strictObject({ type: z.string().min(1).default('cpx22'), location: z.string().min(1).default('hel1') })
    .prefault({}),
  overlay: z.strictObject({ backend: z.enum(['wireguard', 'vxlan']).default('wireguard') }).prefault({}),
  nodes: z.strictObject({ control: group, cluster: group.default([]), ingress: group.default([]) }),
});

/** etcd needs a majority: an even number of members fails as easily as one member less. */
const controlPlaneSizes = [1, 3, 5, 7];

/**
 * Environment that stands above the file, because it differs between a lab and a cloud while the file is the same:
 * NIX_INFRA_IMAGE, NIX_INFRA_OVERLAY_BACKEND.
 */
export type ConfigEnvironment = Readonly<Record<string, string | undefined>>;

/** Reads cluster.yaml; throws `config.invalid` with `file:line` of the first mistake. */
export function parseClusterConfig(
  text: string,
  file = 'cluster.yaml',
  env: ConfigEnvironment = {},
): ClusterConfig {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter });
  const refuse = (line: number, reason: string): never => {
    throw new Problem('config.invalid', `${file} is not valid`, { where: `${file}:${line}`, reason });
  };
  const [broken] = document.errors;
  if (broken) refuse(broken.linePos?.[0].line ?? 1, broken.message.split('\n')[0] ?? 'not YAML');

  const parsed = shape.safeParse(document.toJS());
  if (!parsed.success) {
    const { path, reason } = firstMistake(parsed.error.issues);
    return refuse(lineOf(document, counter, path), reason);
  }
  const nodes = nodeKinds.flatMap((kind) => nodesOf(kind, parsed.data));
  const seen = new Set<string>();
  for (const node of nodes) {
    const group = parsed.data.nodes[node.kind];
    const list = Array.isArray(group) ? group : undefined;
    const path = ['nodes', node.kind, list ? list.lastIndexOf(node.name) : node.name];
    if (seen.has(node.name))
      refuse(lineOf(document, counter, path), `node "${node.name}" stands here a second time`);
    seen.add(node.name);
  }
  const control = nodes.filter((node) => node.kind === 'control');
  if (!controlPlaneSizes.includes(control.length)) {
    refuse(
      lineOf(document, counter, ['nodes', 'control']),
      `a control plane of ${control.length} is not possible; it must be 1, 3, 5 or 7`,
    );
  }
  const backend = env.NIX_INFRA_OVERLAY_BACKEND || parsed.data.overlay.backend;
  if (backend !== 'wireguard' && backend !== 'vxlan') {
    throw new Problem('config.invalid', 'NIX_INFRA_OVERLAY_BACKEND is not valid', {
      where: 'NIX_INFRA_OVERLAY_BACKEND',
      reason: `"${backend}" is neither wireguard nor vxlan`,
    });
  }
  const { kind, image, placement_group } = parsed.data.provider;
  return {
    name: parsed.data.name,
    nixos: parsed.data.nixos,
    provider: { kind, image: env.NIX_INFRA_IMAGE || image, placementGroup: placement_group },
    overlay: { backend },
    nodes,
  };
}

function nodesOf(kind: NodeKind, { nodes, defaults }: z.infer<typeof shape>): NodeConfig[] {
  const group = nodes[kind];
  const entries = Array.isArray(group) ? group.map((name) => [name, null] as const) : Object.entries(group);
  return entries.map(([name, settings]) => ({
    name,
    kind,
    services: settings?.services ?? [],
    type: settings?.type ?? defaults.type,
    location: settings?.location ?? defaults.location,
    tags: settings?.tags ?? [],
  }));
}

/** The first issue, looked for inside unions (list or map of nodes) and record keys too. */
function firstMistake(issues: readonly z.core.$ZodIssue[]): { path: readonly PropertyKey[]; reason: string } {
  const [issue] = issues;
  if (!issue) return { path: [], reason: 'not valid' };
  if (issue.code === 'invalid_union') {
    // The branch that got furthest is the one the writer meant.
    const branches = issue.errors.filter((branch) =>
      branch.some((inner) => inner.path.length > 0 || inner.code !== 'invalid_type'),
    );
    const inner = branches[0]
      ? firstMistake(branches[0])
      : { path: [], reason: 'must be a list of names or a map' };
    return { path: [...issue.path, ...inner.path], reason: inner.reason };
  }
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    return { path: [...issue.path, key], reason: `unknown key "${key}"` };
  }
  if (issue.code === 'invalid_key') {
    return { path: issue.path, reason: issue.issues[0]?.message ?? 'not a node name' };
  }
  const name = issue.path.join('.');
  return { path: issue.path, reason: name === '' ? issue.message : `${name}: ${issue.message}` };
}
