/** Own servers: listed in servers.yaml, neither made nor removed by us. */
import { Problem } from '../../shared/errors.js';
import { byName, CLUSTER_LABEL, type Provider, type Server, type ServerSpec } from './provider.js';
import { readServersFile, serversFileName } from './servers-file.js';

/**
 * Makes the provider. `cloud` looks up the entries that say `provider: hetzner`; without it such an entry is `provider.none`.
 * The file is read at each call, so that an edit counts at once.
 */
export function createSelfHostedProvider(projectDir: string, cloud?: Provider): Provider {
  return new SelfHostedProvider(projectDir, cloud);
}

class SelfHostedProvider implements Provider {
  readonly name = 'self-hosted';

  constructor(
    private readonly projectDir: string,
    private readonly cloud: Provider | undefined,
  ) {}

  async listServers(cluster: string): Promise<Server[]> {
    const entries = (await readServersFile(this.projectDir)) ?? [];
    const isInCloud = entries.some(({ ip }) => ip === undefined);
    if (isInCloud && !this.cloud) {
      throw new Problem('provider.none', `${serversFileName} has servers of Hetzner, but there is no token`, {
        next: 'set HCLOUD_TOKEN, or give those servers an ip',
      });
    }
    const inCloud = isInCloud ? ((await this.cloud?.listServers(cluster)) ?? []) : [];
    const servers = entries.flatMap(({ name, ip, user, keyFile }): Server[] => {
      const ssh = { user, keyFile };
      if (ip === undefined) {
        return inCloud.filter((server) => server.name === name).map((server) => ({ ...server, ssh }));
      }
      // Whether it runs shows when we connect; nobody else knows.
      return [{ id: name, name, ipv4: ip, status: 'running', labels: {}, type: '', location: '', ssh }];
    });
    return byName(servers);
  }

  /** Nothing to do: the key must be on the machine already. */
  async ensureSshKey(): Promise<void> {}

  /** Nothing to do: the operator decides where machines stand. */
  async ensurePlacementGroup(): Promise<void> {}

  async createServer({ name, labels }: ServerSpec): Promise<Server> {
    const found = (await this.listServers(labels[CLUSTER_LABEL] ?? '')).find(
      (server) => server.name === name,
    );
    if (found) return found;
    throw new Problem('provider.rejected', `There is no server ${name} in ${serversFileName}`, {
      node: name,
      next: `add it to ${serversFileName}, or take the node out of cluster.yaml`,
    });
  }

  async waitRunning(names: readonly string[], cluster: string): Promise<Server[]> {
    const servers = await this.listServers(cluster);
    return names.map((name) => {
      const server = servers.find((each) => each.name === name);
      if (server) return server;
      throw new Problem('node.unknown', `There is no server ${name} in ${serversFileName}`, { node: name });
    });
  }

  /** Own machines are not ours to remove: throws `provider.rejected` when one of them is named. */
  async deleteServers(names: readonly string[], cluster: string): Promise<void> {
    const [first] = (await this.listServers(cluster)).filter((server) => names.includes(server.name));
    if (!first) return;
    throw new Problem('provider.rejected', 'nix-infra does not delete your own servers', {
      node: first.name,
      next: `take them out of ${serversFileName}; what runs on them stays until you reinstall them`,
    });
  }

  async removeSshKey(): Promise<void> {}

  async removePlacementGroup(): Promise<void> {}
}
