import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Change, Entry, EtcdStore } from '../../shared/etcd/store.js';
import { agentDefaults as defaults } from '../defaults.js';
import { Renderer } from './renderer.js';

/** Only what the renderer uses; a real etcd and a real confd are in test/integration/mesh-confd.test.ts. */
function fakeEtcd() {
  let tell: (change: Change) => void = () => {};
  const entries = new Map<string, Entry>();
  const etcd = {
    answers: true,
    watchPrefix: (_: string, onChange: (change: Change) => void) => {
      tell = onChange;
      return { ready: Promise.resolve(), close: () => {} };
    },
    getPrefix: async () => {
      if (!etcd.answers) throw new Error('etcd is away');
      return { entries: [...entries.values()], revision: 1 };
    },
    put: (key: string, value: unknown) => {
      const revision = entries.size + 1;
      const entry = {
        key,
        value: Buffer.from(JSON.stringify(value)),
        lease: '0',
        modRevision: revision,
        createRevision: revision,
      };
      entries.set(key, entry);
      tell({ key, entry });
    },
  };
  return etcd;
}

let dir: string;
let file: string;
let now = 0;
let etcd: ReturnType<typeof fakeEtcd>;
let renderer: Renderer;
let restarts: number[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'nix-infra-renderer-'));
  file = join(dir, 'haproxy.cfg');
  writeFileSync(file, '');
  now = 0;
  restarts = [];
  etcd = fakeEtcd();
  renderer = new Renderer({
    subscriber: { node: 'worker001', services: ['frontends'] },
    configFile: file,
    etcd: etcd as unknown as EtcdStore,
    // Time runs as fast as the loop does.
    clock: {
      now: () => now,
      monotonic: () => now,
      sleep: async (ms) => {
        now += ms;
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      },
    },
    log: pino({ level: 'silent' }),
    restartConfd: async () => void restarts.push(now),
  });
  renderer.start();
  etcd.put('/cluster/nodes/worker001', { services: ['frontends'] });
});
afterEach(() => {
  renderer.stop();
  rmSync(dir, { recursive: true, force: true });
});

const codes = () => renderer.warnings().map(({ code }) => code);
const passes = (ms: number) => {
  const until = now + ms;
  return vi.waitUntil(() => now >= until, { timeout: 5_000, interval: 1 });
};

function register(): void {
  etcd.put('/cluster/frontends/a/meta_data', { publish: { port: 80 } });
  etcd.put('/cluster/frontends/a/instances/w1', { ipv4: '10.0.0.1', port: 80 });
}
const rendered = `listen tcp-in-frontends-a
  bind 127.0.0.1:80
  use_backend a
  backend a
    server w1 10.0.0.1:80 check
`;

it('leaves a file alone that is as it should be', async () => {
  await passes(2 * defaults.renderRestartMaxMs);
  expect([restarts, codes()]).toEqual([[], []]);
});

it('restarts confd when the file stays behind, ever more rarely, and says so until it has caught up', async () => {
  register();
  await vi.waitUntil(() => restarts.length === 3, { timeout: 5_000, interval: 1 });
  const [first = 0, second = 0, third = 0] = restarts;
  expect(first).toBeGreaterThanOrEqual(defaults.renderLagMs);
  expect(second - first).toBeGreaterThanOrEqual(defaults.renderRestartMinMs);
  expect(third - second).toBeGreaterThanOrEqual(2 * defaults.renderRestartMinMs);
  expect(codes()).toEqual(['mesh.lagging']);
  expect(renderer.expected()).toEqual({
    revision: 3,
    servers: [{ backend: 'a', server: 'w1', address: '10.0.0.1:80' }],
  });
  writeFileSync(file, rendered);
  await vi.waitUntil(() => codes().length === 0, { timeout: 5_000, interval: 1 });
  const count = restarts.length;
  await passes(defaults.renderRestartMaxMs);
  expect(restarts).toHaveLength(count);
});

it('does not blame confd while etcd does not answer', async () => {
  etcd.answers = false;
  register();
  await passes(defaults.renderRestartMaxMs);
  expect(restarts).toEqual([]);
  etcd.answers = true;
  await vi.waitUntil(() => restarts.length > 0, { timeout: 5_000, interval: 1 });
});

it('routes nothing where there is no haproxy', async () => {
  rmSync(dir, { recursive: true, force: true });
  register();
  await passes(defaults.renderRestartMaxMs);
  expect(restarts).toEqual([]);
});
