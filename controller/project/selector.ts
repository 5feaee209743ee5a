/** `--on SELECTOR`: names, globs and tags, separated by commas or spaces: `web-*,@eu`. */
import { Problem } from '../../shared/errors.js';
import type { NodeConfig } from './cluster-config.js';

/** The nodes that match, in the order of the cluster; throws `node.unknown` for a part that matches none. */
export function selectNodes(nodes: readonly NodeConfig[], selector: string): NodeConfig[] {
  const parts = selector.split(/[,\s]+/).filter((part) => part !== '');
  const chosen = new Set<NodeConfig>();
  for (const part of parts) {
    const matching = nodes.filter(matcher(part));
    if (matching.length === 0) {
      throw new Problem('node.unknown', `No node matches "${part}"`, {
        reason: `the nodes are ${nodes.map((node) => node.name).join(', ')}`,
      });
    }
    for (const node of matching) chosen.add(node);
  }
  if (chosen.size === 0) throw new Problem('usage', 'The selector of nodes is empty');
  return nodes.filter((node) => chosen.has(node));
}

function matcher(part: string): (node: NodeConfig) => boolean {
  if (part.startsWith('@')) return (node) => node.tags.includes(part.slice(1)) || node.kind === part.slice(1);
  const literal = part
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const glob = new RegExp(`^${literal}$`);
  return (node) => glob.test(node.name);
}
