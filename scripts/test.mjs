#!/usr/bin/env node
// `npm test`: lint, types, generated files, then every ring of tests. Fails on a skipped test: a skip in CI is a test that cannot fail.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

function run(name, command, args) {
  const started = Date.now();
  console.log(`\n== ${name}`);
  const result = spawnSync(command, args, { stdio: 'inherit' });
  if (result.status !== 0) {
    console.error(`== ${name} failed`);
    process.exit(result.status ?? 1);
  }
  console.log(`== ${name}: ok, ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

const scratch = mkdtempSync(join(tmpdir(), 'nix-infra-test-'));
const report = join(scratch, 'report.json');
let passed = 0;
let skipped = [];
try {
  run('lint', 'npx', ['biome', 'check', '.']);
  run('types', 'npx', ['tsc', '-p', 'tsconfig.json']);
  run('generated wire code is current', process.execPath, ['scripts/proto.mjs', '--check']);
  run('errors.md is current', process.execPath, ['scripts/docs.mjs', '--check']);
  for (const ring of ['unit', 'simulation', 'integration', 'lab']) {
    run(`tests: ${ring}`, 'npx', [
      'vitest',
      'run',
      '--project',
      ring,
      '--passWithNoTests',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ]);
    const result = JSON.parse(readFileSync(report, 'utf8'));
    passed += result.numPassedTests;
    for (const file of result.testResults) {
      skipped = skipped.concat(
        file.assertionResults.filter((one) => one.status !== 'passed').map((one) => one.fullName),
      );
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
if (skipped.length > 0) {
  console.error(`ERROR: skipped tests are not allowed:\n${skipped.map((name) => `  - ${name}`).join('\n')}`);
  process.exit(1);
}
console.log(`\n${passed} passed, 0 failed`);
