/** The project folder on disk: finding it, and reading the files that become bundles. */
import { existsSync, readFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { Problem } from '../../shared/errors.js';
import type { ProjectFile, ProjectFiles } from './bundle.js';
import { type ClusterConfig, parseClusterConfig } from './cluster-config.js';
import { type Environment, loadEnv } from './env-file.js';

export interface Project {
  /** Absolute path of the folder. */
  dir: string;
  config: ClusterConfig;
  /** Process environment with the .env of the project above it. */
  env: Environment;
}

export interface OpenOptions {
  /** `-d`: the folder. Default: the folder of `file`, else the nearest one upwards that has a cluster.yaml. */
  workingDir?: string | undefined;
  /** `-f`: path of cluster.yaml, relative to the current directory. */
  file?: string | undefined;
  /** `--env`. */
  envFile?: string | undefined;
  warn?: ((line: string) => void) | undefined;
}

/** Opens the project; throws `config.missing`, `config.invalid`. */
export function openProject(options: OpenOptions = {}): Project {
  const dir = options.workingDir
    ? resolve(options.workingDir)
    : options.file
      ? dirname(resolve(options.file))
      : (nearest(process.cwd()) ?? process.cwd());
  const path = options.file ? resolve(options.file) : join(dir, 'cluster.yaml');
  if (!existsSync(path)) throw new Problem('config.missing', 'No cluster.yaml was found', { where: path });
  const { env, warning } = loadEnv(dir, options.envFile, process.env, process.cwd());
  if (warning) options.warn?.(warning);
  const name = options.file ?? 'cluster.yaml';
  return { dir, env, config: parseClusterConfig(readFileSync(path, 'utf8'), name, env) };
}

function nearest(start: string): string | undefined {
  for (let dir = start; ; dir = dirname(dir)) {
    if (existsSync(join(dir, 'cluster.yaml'))) return dir;
    if (dir === dirname(dir)) return undefined;
  }
}

const roots = [
  'flake.nix',
  'flake.lock',
  'configuration.nix',
  'modules',
  'node_types',
  'nodes',
  'app_modules',
];

/** Reads every file that can be part of a bundle. Dot files and links that lead to nothing are left out. */
export async function readProjectFiles(dir: string): Promise<ProjectFiles> {
  const found = new Map<string, ProjectFile>();
  const visit = async (path: string): Promise<void> => {
    const info = await stat(path).catch(() => undefined);
    if (!info) return;
    if (info.isDirectory()) {
      const names = (await readdir(path)).filter((name) => !name.startsWith('.')).sort();
      for (const name of names) await visit(join(path, name));
    } else if (info.isFile()) {
      const mode = info.mode & 0o100 ? 0o755 : 0o644;
      found.set(relative(dir, path), { content: await readFile(path), mode });
    }
  };
  for (const root of roots) await visit(join(dir, root));
  return found;
}
