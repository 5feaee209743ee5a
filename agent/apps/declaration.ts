/** The declared apps of this node: one JSON file each, written by the NixOS module. */
import { readdir, readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { join } from 'node:path';
import { isName, serviceGroups } from '../../shared/names.js';
import { type Json, Reader } from '../checks.js';

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

export interface AppDeclaration {
  /** `group/name` */
  id: string;
  group: string;
  name: string;
  unit: string;
  port: number;
  bindIp: string;
  /** As the app's module declares it; empty where it does not. */
  version: string;
  /** Healthy instances in the whole cluster that a rollout must leave; -1 where the app declares none. */
  minHealthy: number;
  metaData: Json;
  health: HealthCheck;
}

export function parseDeclaration(text: string, where: string): AppDeclaration {
  const reader = Reader.parse(text, where);
  const name = reader.string('name');
  if (!isName(name)) reader.fail('name', 'not a valid app name');
  const group = reader.oneOf('group', serviceGroups);
  const unit = reader.string('unit');
  if (!/^[A-Za-z0-9:_.@\\-]+\.service$/.test(unit)) reader.fail('unit', 'not a service unit');
  const port = reader.integer('port', 1, 65535);
  const bindIp = reader.string('bindIp');
  if (!isIPv4(bindIp)) reader.fail('bindIp', 'not an IPv4 address');
  const health = reader.object('health');
  const kind = health.oneOf('kind', ['tcp', 'http', 'exec', 'none']);
  return {
    id: `${group}/${name}`,
    group,
    name,
    unit,
    port,
    bindIp,
    version: reader.text('version'),
    minHealthy: reader.integer('minHealthy', -1, 100_000, -1),
    metaData: reader.object('meta_data').raw(),
    health: {
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
    },
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
