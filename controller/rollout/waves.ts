/** In which order nodes are moved. Pure. */
import type { NodeKind } from '../../shared/names.js';

export interface Placed {
  name: string;
  kind: NodeKind;
}

/** Where a mistake shows with the least damage: an app's node before the way in, the way in before the control plane. */
const canaryOrder: readonly NodeKind[] = ['cluster', 'ingress', 'control'];
const waveOrder: readonly NodeKind[] = ['control', 'cluster', 'ingress'];

/**
 * The waves: one node alone first (the canary), then control nodes, cluster nodes and ingress nodes. How many of a wave move at the
 * same time is not decided here (capacity.ts). With `force` there is no canary.
 */
export function wavesOf<N extends Placed>(nodes: readonly N[], force: boolean): N[][] {
  const canary =
    force || nodes.length < 2
      ? undefined
      : canaryOrder.flatMap((kind) => nodes.filter((node) => node.kind === kind))[0];
  const rest = nodes.filter((node) => node !== canary);
  const waves = waveOrder.map((kind) => rest.filter((node) => node.kind === kind));
  return [canary ? [canary] : [], ...waves].filter((wave) => wave.length > 0);
}

/** What limits how many nodes are away at the same time: nodes that share one of these count together. */
export function groupsOf(node: Placed & { services: readonly string[] }): string[] {
  if (node.kind === 'cluster') return [...node.services];
  return [node.kind];
}
