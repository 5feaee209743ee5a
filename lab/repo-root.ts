import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Problem } from '../shared/errors.js';

/**
 * The folder of the repository. Found by walking up to its package.json and not by a relative path, because this
 * code runs from its source and from a bundle in dist/.
 */
export function repoRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let dir = start; ; dir = dirname(dir)) {
    const manifest = join(dir, 'package.json');
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'nix-infra') return dir;
    if (dir === dirname(dir)) {
      throw new Problem('internal', 'The lab runs from a clone of the repository only', {
        reason: `no package.json of nix-infra above ${start}`,
      });
    }
  }
}
