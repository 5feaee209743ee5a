/** A node's apps without the node: the product's supervisor over real etcd, with real checks against servers of this process. */
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { pino } from 'pino';
import type { UnitWatcher } from '../../agent/apply/activator.js';
import { AppSupervisor } from '../../agent/apps/supervisor.js';
import { systemClock } from '../../agent/clock.js';
import { openEtcd } from '../../shared/etcd/etcd3-store.js';
import type { EtcdConfig } from '../../shared/etcd/store.js';

/** An http server whose health a test decides: it answers, fails, or takes connections and says nothing. */
export interface AppServer {
  port: number;
  mood: 'works' | 'fails' | 'hangs';
  close(): Promise<void>;
}

export async function startAppServer(): Promise<AppServer> {
  const server: Server = createServer((_, answer) => {
    if (app.mood !== 'hangs') answer.writeHead(app.mood === 'works' ? 200 : 500).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const app: AppServer = {
    port: typeof address === 'object' && address ? address.port : 0,
    mood: 'works',
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return app;
}

export interface AppNode {
  name: string;
  appsDir: string;
  supervisor: AppSupervisor;
  /** Declares an app in the group `frontends`; with several ports it has so many copies. */
  declare(app: string, ports: readonly number[], change?: object): void;
  undeclare(app: string): void;
  /** Sets the state of a unit and says so, as systemd does. Units that were not spoken of are active. */
  unit(name: string, state: string): void;
  start(): Promise<void>;
  /** As an agent that ends: its keys stay. */
  stop(): Promise<void>;
}

export interface AppNodeOptions {
  /** Without it, units are only looked at. */
  signals?: boolean;
}

const check = {
  kind: 'http',
  path: '/',
  intervalMs: 200,
  timeoutMs: 500,
  rise: 1,
  fall: 2,
  startGraceMs: 500,
};

export function appNode(
  dir: string,
  name: string,
  etcd: EtcdConfig,
  { signals = true }: AppNodeOptions = {},
): AppNode {
  const appsDir = join(dir, name);
  mkdirSync(appsDir, { recursive: true });
  const states = new Map<string, string>();
  const listeners = new Set<(unit: string | undefined) => void>();
  const units: UnitWatcher = {
    activeStates: async (asked) => new Map(asked.map((unit) => [unit, states.get(unit) ?? 'active'])),
    ...(signals && {
      follow: (onChange) => {
        listeners.add(onChange);
        return { live: () => true, close: () => void listeners.delete(onChange) };
      },
    }),
  };
  let store = openEtcd(etcd);
  const make = () =>
    new AppSupervisor({
      node: name,
      appsDir,
      etcd: store,
      units,
      clock: systemClock,
      log: pino({ level: process.env.HARNESS_LOG ?? 'silent', base: { node: name } }),
    });
  let running = false;
  const node: AppNode = {
    name,
    appsDir,
    supervisor: make(),
    declare: (app, ports, change = {}) => {
      const [port = 0] = ports;
      const copy = (n: string, at: number) => ({ unit: `${app}${n}.service`, port: at, health: check });
      const copies = Object.fromEntries(ports.map((at, n) => [String(n + 1), copy(`-${n + 1}`, at)]));
      const declaration = {
        name: app,
        group: 'frontends',
        bindIp: '127.0.0.1',
        ...copy('', port),
        ...(ports.length > 1 && { copies }),
        meta_data: { publish: { port }, env_prefix: 'APP', env: {} },
        ...change,
      };
      writeFileSync(join(appsDir, `${app}.json`), JSON.stringify(declaration));
    },
    undeclare: (app) => rmSync(join(appsDir, `${app}.json`)),
    unit: (unit, state) => {
      states.set(unit, state);
      for (const listener of listeners) listener(unit);
    },
    start: async () => {
      if (running) throw new Error('the node runs');
      running = true;
      store = openEtcd(etcd);
      node.supervisor = make();
      await node.supervisor.start();
    },
    stop: async () => {
      if (!running) return;
      running = false;
      await node.supervisor.stop();
      store.close();
    },
  };
  // Nothing is open before the start.
  store.close();
  return node;
}
