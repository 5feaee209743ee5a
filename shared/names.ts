/**
 * Names that cross a boundary: node names are host names, file names, etcd path segments and
 * certificate subjects at once, so one grammar serves them all (RFC 1123 label, lower case).
 */
import { Problem } from './errors.js';

/** Kinds of node and what each runs; see docs/explanation/architecture.md. */
export const nodeKinds = ['control', 'cluster', 'ingress'] as const;
export type NodeKind = (typeof nodeKinds)[number];

/** Service groups, as the predecessor names them; they are path segments below /cluster in etcd. */
export const serviceGroups = ['frontends', 'backends', 'services'] as const;
export type ServiceGroup = (typeof serviceGroups)[number];

const label = /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** True for a name that may be a node, cluster or app: an RFC 1123 label that starts with a letter. */
export function isName(name: string): boolean {
  return label.test(name);
}

/** Returns the name, or throws: for values that a remote side sent. */
export function checkedName(name: string, what: string): string {
  if (isName(name)) return name;
  throw new Problem('usage', `"${name.slice(0, 80)}" is not a valid ${what} name`, {
    next: 'use lower-case letters, digits and hyphens; start with a letter; at most 63 characters',
  });
}

export type PrincipalKind = 'node' | 'controller' | 'operator';

/** Who a certificate speaks for. */
export interface Principal {
  cluster: string;
  kind: PrincipalKind;
  name: string;
}

/** The URI SAN that carries a principal: `nix-infra://<cluster>/<kind>/<name>` (DESIGN section 6). */
export function principalUri(principal: Principal): string {
  return `nix-infra://${principal.cluster}/${principal.kind}/${principal.name}`;
}

/** Reads a principal from a URI SAN; undefined for anything that is not exactly one of ours. */
export function parsePrincipalUri(uri: string): Principal | undefined {
  const match = /^nix-infra:\/\/([^/]+)\/(node|controller|operator)\/([^/]+)$/.exec(uri);
  if (!match) return undefined;
  const [, cluster = '', kind = '', name = ''] = match;
  return isName(cluster) && isName(name) ? { cluster, kind: kind as PrincipalKind, name } : undefined;
}
