/** What the demo reads of a cluster, through `nix-infra status --json` and haproxy's own sockets. */
import type { Command } from './command.js';

export interface StatusView {
  nodes: {
    name: string;
    kind: string;
    ipv4: string;
    connected: boolean;
    revision: string;
    result: string;
    nixos: string;
    agent: string;
  }[];
  apps: {
    group: string;
    name: string;
    port: number;
    instances: { id: string; node: string; ipv4: string; port: number; leased: boolean }[];
  }[];
  etcd: { name: string; healthy: boolean; leader: boolean }[];
}

export async function readStatus(run: Command): Promise<StatusView> {
  const { stdout } = await run(['status', '--json']);
  return JSON.parse(stdout) as StatusView;
}

/** Nodes whose instance of the app is registered under a lease. */
export function leasedNodes(status: StatusView, app: string): string[] {
  return status.apps
    .filter((one) => one.name === app)
    .flatMap((one) => one.instances.filter((instance) => instance.leased).map((instance) => instance.node))
    .sort();
}

/** Servers that the running haproxy of a node has for an app, read from its admin socket, with their state. */
export async function haproxyServers(
  run: Command,
  node: string,
  app: string,
): Promise<Record<string, string>> {
  const script = `echo "show stat" | socat - UNIX-CONNECT:/run/haproxy/haproxy.sock 2>/dev/null || echo "show stat" | nc -U /run/haproxy/haproxy.sock`;
  const { stdout } = await run(['cluster', 'cmd', `--target=${node}`, script]);
  return serversIn(stdout.replaceAll(/^[a-z0-9-]+: /gm, ''), app);
}

/** Servers of an app in what haproxy's `show stat` says, with their state. */
export function serversIn(statistics: string, app: string): Record<string, string> {
  const servers: Record<string, string> = {};
  for (const line of statistics.split('\n')) {
    const columns = line.split(',');
    const [proxy, server, status] = [columns[0], columns[1], columns[17]];
    if (proxy === app && server && status && server !== 'BACKEND' && server !== 'FRONTEND')
      servers[server] = status;
  }
  return servers;
}
