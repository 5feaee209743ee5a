/**
 * Pure: what the haproxy of a node should serve, from the keys below `/cluster/`. It reads as confd's template does, which cannot speak
 * (nixos/modules/haproxy/mesh.cfg.tmpl; a fuzz test compares the two), and says what is wrong with them.
 */
import { posix } from 'node:path';
import type { MeshWarning } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Entry } from '../../shared/etcd/store.js';
import { isName, serviceGroups } from '../../shared/names.js';
import { isInstanceId, readInstance, readMetaData, readServices } from './registered.js';

export interface RouteServer {
  /** Id of the instance. */
  id: string;
  /** `address:port` */
  address: string;
}

export interface Route {
  group: string;
  app: string;
  listener: string;
  /** Where the listener is: this port of 127.0.0.1. */
  port: number;
  backend: string;
  http: boolean;
  /** Empty where only connections are checked. */
  healthPath: string;
  /** Sorted by id, as in the file. */
  servers: RouteServer[];
  /** The servers are those that were registered last: none is now, and nobody said that they left. */
  held: boolean;
}

export interface Routes {
  routes: Route[];
  warnings: MeshWarning[];
}

export interface Subscriber {
  node: string;
  /** The groups as the node's configuration names them: they hold while its registration is missing or not sound. */
  services: readonly string[];
}

/** sshd's port: a listener that cannot bind would make haproxy refuse every later reload. */
const takenPorts = [22];

type Registered = Pick<Entry, 'key' | 'value'>;
/** By code units: names that are sound are ASCII, for which this is confd's order. */
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

class Reading {
  readonly warnings: MeshWarning[] = [];
  readonly #values = new Map<string, Buffer>();
  /** Ids by `group/app` and kind. */
  readonly #ids = new Map<string, string[]>();
  readonly #apps = new Map<string, Set<string>>();

  constructor(entries: readonly Registered[]) {
    const roots = ['nodes', ...serviceGroups].map((name) => `/cluster/${name}/`);
    for (const { key, value } of entries) {
      if (!roots.some((root) => key.startsWith(root))) continue;
      // As confd does it: two spellings of a key are one key to it.
      const clean = posix.resolve('/', key);
      if (clean !== key)
        this.warn('mesh.invalid', key, `not a key of the mesh; confd takes it for ${shown(clean)}`);
      if (clean === key || !this.#values.has(clean)) this.#add(clean, value);
    }
  }

  warn(code: string, subject: string, message: string): void {
    this.warnings.push({ code, subject: shown(subject), message });
  }

  value(key: string): Buffer | undefined {
    return this.#values.get(key);
  }

  apps(group: string): string[] {
    return [...(this.#apps.get(group) ?? [])].sort(compare);
  }

  ids(group: string, app: string, kind: string): string[] {
    return [...(this.#ids.get(`${group}/${app}/${kind}`) ?? [])].sort(compare);
  }

  #add(key: string, value: Buffer): void {
    const [, , group = '', app = '', kind, id, ...more] = key.split('/');
    if (kind !== undefined) {
      const apps = this.#apps.get(group) ?? new Set();
      this.#apps.set(group, apps.add(app));
    }
    if (id !== undefined && more.length === 0 && !this.#values.has(key)) {
      const ids = this.#ids.get(`${group}/${app}/${kind}`) ?? [];
      this.#ids.set(`${group}/${app}/${kind}`, [...ids, id]);
    }
    this.#values.set(key, value);
  }
}

/** For people: a foreign name or key may hold anything. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, 120)).slice(1, -1);
}

function groupsOf(reading: Reading, { node, services }: Subscriber): readonly string[] {
  const key = `/cluster/nodes/${node}`;
  const value = reading.value(key);
  const registered = value && readServices(value);
  if (registered) return registered;
  reading.warn(
    'mesh.invalid',
    key,
    `the registration of this node is ${value ? 'not sound' : 'missing'}; its groups are those of its configuration`,
  );
  return services;
}

/** The sound servers of one kind of key. */
function serversOf(
  reading: Reading,
  group: string,
  app: string,
  kind: string,
  ownPort: number,
): RouteServer[] {
  return reading.ids(group, app, kind).flatMap((id) => {
    const key = `/cluster/${group}/${app}/${kind}/${id}`;
    const address = readInstance(reading.value(key) as Buffer);
    const itself = address === `127.0.0.1:${ownPort}`;
    if (address !== undefined && isInstanceId(id) && !itself) return [{ id, address }];
    reading.warn(
      'mesh.invalid',
      key,
      itself
        ? 'an instance cannot be the listener that leads to it; left out'
        : 'not a sound instance; left out',
    );
    return [];
  });
}

/** A name that neither an app above nor a listener has. */
function backendName(taken: ReadonlySet<string>, group: string, app: string): string {
  if (!taken.has(app) && !app.startsWith('tcp-in-')) return app;
  return taken.has(`${group}-${app}`) ? `${group}.${app}` : `${group}-${app}`;
}

/** The routes of a node in the order of its file, and what is wrong with what is registered. */
export function readRoutes(entries: readonly Registered[], subscriber: Subscriber): Routes {
  const reading = new Reading(entries);
  const groups = groupsOf(reading, subscriber);
  const ports = new Map<number, string>(takenPorts.map((port) => [port, 'this node itself']));
  const backends = new Set<string>();
  const routes: Route[] = [];
  for (const group of serviceGroups.filter((one) => groups.includes(one))) {
    for (const app of reading.apps(group)) {
      const key = `/cluster/${group}/${app}/meta_data`;
      if (!isName(app)) {
        reading.warn('mesh.invalid', `/cluster/${group}/${app}`, 'not the name of an app; left out');
        continue;
      }
      const value = reading.value(key);
      // Instances may be there before the app has said what it is.
      if (!value) continue;
      const meta = readMetaData(value);
      if (!meta) {
        reading.warn('mesh.invalid', key, 'not sound; the app is left out');
        continue;
      }
      const { port, http, healthPath } = meta;
      const owner = ports.get(port);
      if (owner !== undefined) {
        reading.warn(
          'mesh.conflict',
          `${group}/${app}`,
          `port ${port} belongs to ${owner}; the app is left out`,
        );
        continue;
      }
      ports.set(port, `${group}/${app}`);
      if (meta.pathRefused)
        reading.warn('mesh.invalid', key, 'the health path is not sound; only connections are checked');
      const backend = backendName(backends, group, app);
      backends.add(backend);
      const instances = serversOf(reading, group, app, 'instances', port);
      const servers = instances.length > 0 ? instances : serversOf(reading, group, app, 'last', port);
      const held = instances.length === 0 && servers.length > 0;
      if (held)
        reading.warn(
          'mesh.held',
          `${group}/${app}`,
          `no instance is registered, and nobody said that they left; the last ${servers.length} stay in service`,
        );
      routes.push({
        group,
        app,
        listener: `tcp-in-${group}-${app}`,
        port,
        backend,
        http,
        healthPath,
        servers,
        held,
      });
    }
  }
  return { routes, warnings: reading.warnings };
}
