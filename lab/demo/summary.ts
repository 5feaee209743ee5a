/** Step 9: what is there now and how to look at it. */
import { readStatus } from './cluster-view.js';
import type { Demo } from './steps.js';
import { publicUrl } from './steps.js';

export async function printSummary(
  demo: Demo,
  project: string,
  timings: readonly (readonly [string, number])[],
): Promise<void> {
  const status = await readStatus(demo.run);
  const rows = status.nodes.map((node) => [
    node.name,
    node.kind,
    node.ipv4,
    node.connected ? 'connected' : 'AWAY',
    node.nixos,
    node.revision.slice(0, 12),
  ]);
  console.log(table([['node', 'kind', 'address', 'agent', 'NixOS', 'revision'], ...rows]));
  console.log('\n  time per phase');
  for (const [name, ms] of timings) console.log(`    ${(ms / 1_000).toFixed(1).padStart(6)} s  ${name}`);
  console.log(`
  URL       ${publicUrl(status)}
  project   ${project}

  explore   cd ${project}
            nix-infra status
            nix-infra cluster etcd "/cluster"
            nix-infra cluster cmd --target=ingress001 "cat /run/current-system/nixos-version"
            nix-infra cluster ssh --target=worker001
            nix-infra lab status
  remove    nix-infra lab down`);
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}
