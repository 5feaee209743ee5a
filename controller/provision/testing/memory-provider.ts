/** A cloud in memory: the smallest thing that keeps the provider's promises. */
import { Problem } from '../../../shared/errors.js';
import { byName, CLUSTER_LABEL, type Provider, type Server, type ServerSpec } from '../provider.js';

export class MemoryProvider implements Provider {
  readonly name = 'hetzner';
  readonly servers = new Map<string, Server>();
  readonly sshKeys = new Map<string, { publicKey: string; cluster: string }>();
  readonly placementGroups = new Map<string, string>();
  private made = 0;

  async listServers(cluster: string): Promise<Server[]> {
    return byName([...this.servers.values()].filter((server) => server.labels[CLUSTER_LABEL] === cluster));
  }

  async ensureSshKey(name: string, publicKey: string, cluster: string): Promise<void> {
    this.sshKeys.set(name, { publicKey, cluster });
  }

  async ensurePlacementGroup(name: string, cluster: string): Promise<void> {
    this.placementGroups.set(name, cluster);
  }

  async createServer(spec: ServerSpec): Promise<Server> {
    const existing = this.servers.get(spec.name);
    if (existing && existing.labels[CLUSTER_LABEL] === spec.labels[CLUSTER_LABEL]) return existing;
    const group = spec.placementGroup;
    const isRefused = existing || !this.sshKeys.has(spec.sshKeyName) || spec.image === 'no-such-image';
    if (isRefused || (group !== undefined && !this.placementGroups.has(group))) {
      throw new Problem('provider.rejected', `The cloud refused ${spec.name}`, { node: spec.name });
    }
    this.made += 1;
    const { name, labels, type, location } = spec;
    const ipv4 = `192.0.2.${this.made}`;
    const server: Server = { id: String(this.made), name, ipv4, status: 'starting', labels, type, location };
    this.servers.set(name, server);
    return server;
  }

  async waitRunning(names: readonly string[], cluster: string): Promise<Server[]> {
    return names.map((name) => {
      const server = this.servers.get(name);
      if (!server || server.labels[CLUSTER_LABEL] !== cluster) {
        throw new Problem('node.unknown', `There is no server ${name}`, { node: name });
      }
      const running: Server = { ...server, status: 'running' };
      this.servers.set(name, running);
      return running;
    });
  }

  async deleteServers(names: readonly string[], cluster: string): Promise<void> {
    for (const { name } of await this.listServers(cluster)) {
      if (names.includes(name)) this.servers.delete(name);
    }
  }

  async removeSshKey(name: string, cluster: string): Promise<void> {
    if (this.sshKeys.get(name)?.cluster === cluster) this.sshKeys.delete(name);
  }

  async removePlacementGroup(name: string, cluster: string): Promise<void> {
    if (this.placementGroups.get(name) === cluster) this.placementGroups.delete(name);
  }
}
