#!/usr/bin/env node
// `npm run sim -- --seeds 100000 [--from N]` or `-- --seed N --trace`: the simulation of rollouts (test/simulation/README.md).
// Bundled first: a node process alone runs the seeds faster than the test runner does.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const scratch = mkdtempSync(join(tmpdir(), 'nix-infra-sim-'));
try {
  const outfile = join(scratch, 'sim.mjs');
  await build({
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: 'inline',
    logLevel: 'warning',
    entryPoints: ['test/simulation/run.ts'],
    outfile,
    // CommonJS packages that are bundled into ESM ask for node's own modules this way.
    banner: {
      js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);import{fileURLToPath as __fu}from'node:url';import{dirname as __dn}from'node:path';const __filename=__fu(import.meta.url),__dirname=__dn(__filename);",
    },
  });
  const { main } = await import(pathToFileURL(outfile).href);
  process.exitCode = await main(process.argv.slice(2));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
