/** What follows etcd beside a haproxy, each in a process of its own: the agent's part, and the least that could do it. */
import { pino } from 'pino';
import { systemClock } from '../../agent/clock.js';
import { ask } from '../../agent/mesh/ask.js';
import { MeshWatcher } from '../../agent/mesh/mesh-watcher.js';
import { RuntimeSource } from '../../agent/mesh/runtime-source.js';
import type { ServedRecordPaths } from '../../agent/mesh/served-record.js';
import { openEtcd } from '../../shared/etcd/etcd3-store.js';
import type { EtcdConfig } from '../../shared/etcd/store.js';

export interface PartOptions {
  kind: 'agent' | 'limit';
  node: string;
  etcd: EtcdConfig;
  socket: string;
  record: ServedRecordPaths;
  /** The one key that the limit follows, and the server that it moves. */
  key: string;
  server: string;
}

/** Never returns; the bench ends the process. */
export async function runPart(options: PartOptions): Promise<void> {
  if (options.kind === 'agent') runAgent(options);
  else await runLimit(options);
  process.send?.('ready');
}

function runAgent({ node, etcd, socket, record }: PartOptions): void {
  const source = new RuntimeSource({
    subscriber: { node, services: ['frontends'] },
    etcd: openEtcd(etcd),
    onChange: () => watcher.wake(),
  });
  const watcher = new MeshWatcher({
    socketPath: socket,
    clock: systemClock,
    log: pino({ level: 'silent' }),
    onChange: () => {},
    source,
    record,
  });
  source.start();
  watcher.start();
}

async function runLimit({ etcd, socket, key, server }: PartOptions): Promise<void> {
  const watch = openEtcd(etcd).watchPrefix(key, ({ entry }) => {
    if (!entry) return;
    const { ipv4, port } = JSON.parse(entry.value.toString()) as { ipv4: string; port: number };
    void ask(socket, `set server ${server} addr ${ipv4} port ${port}\n`, 2_000, 1 << 16);
  });
  await watch.ready;
}
