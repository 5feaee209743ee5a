/** haproxy's configuration as the mesh has it: the product's own template, rendered by a real confd. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureGoTool } from '../../lab/image/go-tools.js';
import { repoRoot } from '../../lab/repo-root.js';

/** The program, unmodified; built when it is not there yet. */
export const confdProgram = await ensureGoTool('confd', () => {});

const module = (name: string) => readFileSync(join(repoRoot(), 'nixos/modules/haproxy', name), 'utf8');

/** What confd.nix and confd_haproxy.nix make of the template for a node. */
export function meshTemplate(node: string, services: readonly string[]): string {
  return (module('base.cfg') + module('mesh.cfg.tmpl'))
    .replaceAll('@node@', node)
    .replaceAll('@services@', services.join('|'));
}

export interface ConfdResource {
  /** The file to write. */
  dest: string;
  /** Before every key of etcd. */
  prefix?: string;
  check?: string;
  reload?: string;
}

/** confd's folder for the template and these files; give it as `-confdir`. */
export function writeConfdFolder(dir: string, template: string, resources: readonly ConfdResource[]): void {
  mkdirSync(join(dir, 'conf.d'), { recursive: true });
  mkdirSync(join(dir, 'templates'), { recursive: true });
  writeFileSync(join(dir, 'templates', 'haproxy.cfg.tmpl'), template);
  for (const [at, { dest, prefix, check, reload }] of resources.entries()) {
    const settings = {
      src: 'haproxy.cfg.tmpl',
      dest,
      keys: ['nodes', 'frontends', 'backends', 'services'].map((name) => `/cluster/${name}`),
      mode: '0644',
      ...(prefix === undefined ? {} : { prefix }),
      ...(check === undefined ? {} : { check_cmd: check }),
      ...(reload === undefined ? {} : { reload_cmd: reload }),
    };
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
    writeFileSync(join(dir, 'conf.d', `${at}.toml`), `[template]\n${lines.join('\n')}\n`);
  }
}

/** base.cfg and one http app of the template, with these servers (`id` to `address:port`). */
export function meshConfig(app: string, port: number, servers: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), 'nix-infra-mesh-config-'));
  try {
    const dest = join(dir, 'haproxy.cfg');
    writeConfdFolder(dir, meshTemplate('worker001', ['frontends']), [{ dest }]);
    const instances = Object.entries(servers).map(([id, address]) => {
      const [ipv4, at] = address.split(':');
      return [id, JSON.stringify({ node: id, ipv4, port: Number(at) })];
    });
    const meta = { publish: { port }, env_prefix: 'APP', env: { PORT: port, PROTOCOL: 'http' } };
    const values = {
      cluster: {
        frontends: { [app]: { meta_data: JSON.stringify(meta), instances: Object.fromEntries(instances) } },
      },
    };
    const file = join(dir, 'keys.json');
    writeFileSync(file, JSON.stringify(values));
    execFileSync(confdProgram, ['-onetime', '-backend', 'file', '-file', file, '-confdir', dir], {
      stdio: 'pipe',
    });
    return readFileSync(dest, 'utf8');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
