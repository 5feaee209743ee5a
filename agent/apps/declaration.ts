/** The declared apps of this node: one JSON file each, written by the NixOS module. */
import { readdir, readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { join } from 'node:path';
import { isName, serviceGroups } from '../../shared/names.js';
import { type Json, Reader } from '../checks.js';
import { agentDefaults as defaults } from '../defaults.js';

/** How an app proves that it works. Times in milliseconds. */
export interface HealthCheck {
  kind: 'tcp' | 'http' | 'exec' | 'none';
  /** Default: the app's bind address and port. */
  host: string;
  port: number;
  /** http only. Any answer from 200 to 399 passes. */
  path: string;
  /** exec only; passes with exit code 0. */
  command: string[];
  intervalMs: number;
  timeoutMs: number;
  /** Passes in a row that make it healthy, failures in a row that make it unhealthy. */
  rise: number;
  fall: number;
  /** A failing app counts as starting this long after its unit became active. */
  startGraceMs: number;
}

/** One running copy of an app on this node. */
export interface AppCopy {
  /** `1`, `2`, …; empty for an app that is declared without copies, which has exactly one. */
  name: string;
  unit: string;
  port: number;
  health: HealthCheck;
}

export interface AppDeclaration {
  /** `group/name` */
  id: string;
  group: string;
  name: string;
  /** At least one; all run beside each other. */
  copies: AppCopy[];
  bindIp: string;
  /** As the app's module declares it; empty where it does not. */
  version: string;
  /** Healthy instances in the whole cluster that a rollout must leave; -1 where the app declares none. */
  minHealthy: number;
  metaData: Json;
}

/** What the check of a copy is where its declaration does not say. */
interface HealthDefaults {
  bindIp: string;
  port: number;
}

function parseHealth(health: Reader, { bindIp, port }: HealthDefaults): HealthCheck {
  const kind = health.oneOf('kind', ['tcp', 'http', 'exec', 'none']);
  return {
    kind,
    host: health.string('host', bindIp),
    port: health.integer('port', 1, 65535, port),
    path: health.string('path', '/'),
    command: kind === 'exec' ? health.strings('command') : [],
    intervalMs: health.integer('intervalMs', 100, 3_600_000, 1_000),
    timeoutMs: health.integer('timeoutMs', 10, 600_000, 2_000),
    rise: health.integer('rise', 1, 100, 1),
    fall: health.integer('fall', 1, 100, 2),
    startGraceMs: health.integer('startGraceMs', 0, 3_600_000, 60_000),
  };
}

function parseCopy(reader: Reader, name: string, bindIp: string): AppCopy {
  const unit = reader.string('unit');
  if (!/^[A-Za-z0-9:_.@\\-]+\.service$/.test(unit)) reader.fail('unit', 'not a service unit');
  const port = reader.integer('port', 1, 65535);
  return { name, unit, port, health: parseHealth(reader.object('health'), { bindIp, port }) };
}

/** The app itself where there are no copies. */
function parseCopies(app: Reader, bindIp: string): AppCopy[] {
  if (app.raw().copies === undefined) return [parseCopy(app, '', bindIp)];
  const copies = app.object('copies');
  const names = Object.keys(copies.raw());
  if (names.length === 0 || names.length > defaults.copiesMax)
    app.fail('copies', `not 1 to ${defaults.copiesMax} copies`);
  const parsed = names.map((name) => {
    // It becomes part of an etcd key and of a haproxy server's name.
    if (!/^[1-9][0-9]{0,3}$/.test(name)) app.fail('copies', `"${name.slice(0, 20)}" is not a number from 1`);
    return parseCopy(copies.object(name), name, bindIp);
  });
  const twice = (of: (copy: AppCopy) => unknown) => new Set(parsed.map(of)).size < parsed.length;
  if (twice((copy) => copy.unit)) app.fail('copies', 'two copies have the same unit');
  if (twice((copy) => copy.port)) app.fail('copies', 'two copies have the same port');
  return parsed;
}

export function parseDeclaration(text: string, where: string): AppDeclaration {
  const reader = Reader.parse(text, where);
  const name = reader.string('name');
  if (!isName(name)) reader.fail('name', 'not a valid app name');
  const group = reader.oneOf('group', serviceGroups);
  const bindIp = reader.string('bindIp');
  if (!isIPv4(bindIp)) reader.fail('bindIp', 'not an IPv4 address');
  return {
    id: `${group}/${name}`,
    group,
    name,
    copies: parseCopies(reader, bindIp),
    bindIp,
    version: reader.text('version'),
    minHealthy: reader.integer('minHealthy', -1, 100_000, -1),
    metaData: reader.object('meta_data').raw(),
  };
}

/** All declarations of the folder; a file that is not valid is told and left out, so that one bad app does not stop the others. */
export async function readDeclarations(
  dir: string,
  onInvalid: (error: unknown) => void,
): Promise<AppDeclaration[]> {
  const names = await readdir(dir).catch(() => [] as string[]);
  const apps = new Map<string, AppDeclaration>();
  for (const name of names.filter((one) => one.endsWith('.json')).sort()) {
    try {
      const app = parseDeclaration(await readFile(join(dir, name), 'utf8'), join(dir, name));
      apps.set(app.id, app);
    } catch (error) {
      onInvalid(error);
    }
  }
  return [...apps.values()];
}
