#!/usr/bin/env node
// Generates proto/gen from proto/nixinfra; with --check it fails when the committed code is not what the .proto files say.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const run = (command, args, cwd) => {
  const result = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (result.status !== 0) process.exit(result.status ?? 1);
};
const buf = join(root, 'node_modules/.bin/buf');
run(buf, ['lint'], join(root, 'proto'));
run(buf, ['generate', '--clean'], join(root, 'proto'));
if (process.argv.includes('--check')) run('git', ['diff', '--exit-code', '--stat', '--', 'proto/gen'], root);
