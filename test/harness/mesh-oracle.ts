/** What a node must route, said a second time and in another way: with JSON.parse, from the rules in docs/explanation/mesh.md. */
import { posix } from 'node:path';
import { serviceGroups } from '../../shared/names.js';
import type { KeySet } from './mesh-keys.js';

export interface ExpectedApp {
  listener: string;
  port: number;
  http: boolean;
  healthPath: string | undefined;
  /** `id address:port` */
  servers: string[];
  held: boolean;
}

type Tree = { [name: string]: Tree | unknown };

const name = /^[a-z]$|^[a-z][a-z0-9-]{0,61}[a-z0-9]$/;
const id = /^([a-z]|[a-z][a-z0-9-]{0,61}[a-z0-9])(\.[0-9]{1,5})?$/;

function depth(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depth));
}

/** The object that is written there, or undefined. */
function object(value: Buffer | undefined): Tree | undefined {
  if (!value || value.length > 16_384) return undefined;
  try {
    const parsed = JSON.parse(value.toString()) as unknown;
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
    return depth(parsed) > 32 ? undefined : (parsed as Tree);
  } catch {
    return undefined;
  }
}

/** Written without escapes: nobody needs them for what the mesh reads. */
function isPlain(text: unknown, value: Buffer): text is string {
  return typeof text === 'string' && value.includes(`"${text}"`);
}

function portOf(field: unknown, value: Buffer): number | undefined {
  if (typeof field !== 'number' || !Number.isInteger(field) || field < 1 || field > 65_535) return undefined;
  // In plain digits: 80.0 and 8e1 are numbers that nobody writes for a port.
  return new RegExp(`"port"\\s*:\\s*${field}\\s*[,}]`).test(value.toString()) ? field : undefined;
}

function serverOf(name: string, value: Buffer, ownPort: number): string[] {
  const instance = object(value);
  const port = instance && portOf(instance.port, value);
  const ipv4 = instance?.ipv4;
  if (!id.test(name) || port === undefined || typeof ipv4 !== 'string' || !isPlain(ipv4, value)) return [];
  const octets = ipv4.split('.');
  const good = octets.every(
    (octet) => String(Number(octet)) === octet && Number(octet) >= 0 && Number(octet) < 256,
  );
  const first = Number(octets[0]);
  if (octets.length !== 4 || !good || first === 0 || first > 223) return [];
  return ipv4 === '127.0.0.1' && port === ownPort ? [] : [`${name} ${ipv4}:${port}`];
}

/** Every app of the set that is sound and that the node uses, in the order in which ports are given. */
export function expectedApps({ node, services, entries }: KeySet): ExpectedApp[] {
  const keys = new Map(
    entries
      .filter(({ key }) => ['nodes', ...serviceGroups].some((root) => key.startsWith(`/cluster/${root}/`)))
      .map(({ key, value }) => [posix.normalize(key).replace(/\/$/, ''), value]),
  );
  const registered = object(keys.get(`/cluster/nodes/${node}`))?.services;
  const groups = Array.isArray(registered) ? registered : services;
  const taken = new Set([22]);
  const apps: ExpectedApp[] = [];
  for (const group of serviceGroups) {
    if (!groups.includes(group)) continue;
    const names = [...keys.keys()].map(
      (key) => new RegExp(`^/cluster/${group}/([^/]+)/meta_data$`).exec(key)?.[1] ?? '',
    );
    for (const app of [...new Set(names)].filter((one) => name.test(one)).sort()) {
      const value = keys.get(`/cluster/${group}/${app}/meta_data`) as Buffer;
      const meta = object(value);
      const field = (outer: string, inner: string) => (meta?.[outer] as Tree | null | undefined)?.[inner];
      const port = meta && portOf(field('publish', 'port'), value);
      if (port === undefined || taken.has(port)) continue;
      taken.add(port);
      const servers = (kind: string) =>
        [...keys]
          .filter(([key]) => posix.dirname(key) === `/cluster/${group}/${app}/${kind}`)
          .flatMap(([key, one]) => serverOf(posix.basename(key), one, port))
          .sort();
      const [now, before] = [servers('instances'), servers('last')];
      const path = field('health', 'path');
      const sound = isPlain(path, value) && /^\/[a-zA-Z0-9._~/?=&-]*$/.test(path) && path.length <= 200;
      apps.push({
        listener: `tcp-in-${group}-${app}`,
        port,
        http: field('env', 'PROTOCOL') === 'http',
        healthPath: sound ? path : undefined,
        servers: now.length > 0 ? now : before,
        held: now.length === 0 && before.length > 0,
      });
    }
  }
  return apps;
}
