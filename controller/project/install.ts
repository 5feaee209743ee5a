/** Where this program is installed: its built programs for nodes, and the template of a project. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Problem } from '../../shared/errors.js';
import type { Programs } from './bundle.js';

/** The folder of the package, found upwards because the code runs from its source and from dist/. */
export function packageRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let dir = start; dir !== dirname(dir); dir = dirname(dir)) {
    const manifest = join(dir, 'package.json');
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'nix-infra') return dir;
  }
  throw new Problem('internal', 'The installation of nix-infra is not complete', {
    reason: `no package.json above ${start}`,
  });
}

/** Reads the programs that run on nodes; throws `internal` when they were not built. */
export function readPrograms(): Programs {
  const read = (name: string) => {
    const path = join(packageRoot(), 'dist', name);
    if (existsSync(path)) return readFileSync(path);
    throw new Problem('internal', `${name} is not built`, {
      where: path,
      next: 'run `npm run build` in the clone',
    });
  };
  return { agent: read('agent.cjs'), mesh: read('mesh.cjs'), controller: read('controller.cjs') };
}
