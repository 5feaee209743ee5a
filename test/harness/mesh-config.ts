/** haproxy's configuration as the mesh has it: the product's own files, with confd's part played by a few replacements. */
import { readFileSync } from 'node:fs';

const module = (name: string) =>
  readFileSync(new URL(`../../nixos/modules/haproxy/${name}`, import.meta.url), 'utf8');

/** base.cfg and one http app of the template, with these servers (`id` to `address:port`). */
export function meshConfig(app: string, port: number, servers: Readonly<Record<string, string>>): string {
  const template = module('mesh.cfg.tmpl');
  const server = /^ *server {{base \.Key}} .*$/m.exec(template)?.[0] ?? '';
  const from = template.indexOf('listen tcp-in-');
  const to = template.indexOf('{{range gets');
  if (server === '' || from < 0 || to < from)
    throw new Error('the template is not what this was written for');
  const body = template
    .slice(from, to)
    .replaceAll(/\s*{{- if \$http}}/g, '')
    .replaceAll(/\s*{{- end}}/g, '')
    .replaceAll('{{$group}}-{{$app}}', `frontends-${app}`)
    .replaceAll('{{$backend}}', app)
    .replaceAll('{{$port}}', String(port));
  if (body.includes('{{')) throw new Error(`left in the template: ${body}`);
  const lines = Object.entries(servers).map(([id, address]) =>
    server.replace('{{base .Key}}', id).replace(/{{\$instance\.ipv4}}.*?}}(?= check)/, address),
  );
  return `${module('base.cfg')}\n${body}\n${lines.join('\n')}\n`;
}
