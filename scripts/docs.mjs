#!/usr/bin/env node
// Generates docs/reference/errors.md from shared/error-catalogue.ts; with --check it fails when the committed file is another.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const target = 'docs/reference/errors.md';

/** The catalogue is TypeScript and Node 20 runs none, so it is bundled in memory and imported from there. */
async function readCatalogue() {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ['shared/error-catalogue.ts'],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    write: false,
    logLevel: 'warning',
  });
  const source = Buffer.from(outputFiles[0].contents).toString('base64');
  return (await import(`data:text/javascript;base64,${source}`)).errorCatalogue;
}

function render(catalogue) {
  const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const rows = Object.entries(catalogue).map(
    ([code, { title, exit, next }]) => `| \`${code}\` | ${cell(title)} | ${exit} | ${cell(next)} |`,
  );
  return [
    '# Errors',
    '',
    '<!-- Generated from shared/error-catalogue.ts by `node scripts/docs.mjs`. Do not edit. -->',
    '',
    'Every error code of the catalogue. A message may name a more exact next step than this table.',
    '',
    '| code | title | exit code | next step |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

const wanted = render(await readCatalogue());
if (process.argv.includes('--check')) {
  let present = '';
  try {
    present = readFileSync(join(root, target), 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  if (present !== wanted) {
    console.error(
      `ERROR: ${target} is not what shared/error-catalogue.ts says\n  next:  run node scripts/docs.mjs`,
    );
    process.exit(1);
  }
} else {
  writeFileSync(join(root, target), wanted);
}
