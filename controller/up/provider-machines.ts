/** The Machines port over a provider and SSH. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '../../shared/errors.js';
import type { Project } from '../project/folder.js';
import { createHetznerProvider } from '../provision/hetzner/provider.js';
import { CLUSTER_LABEL, type Provider, type Server } from '../provision/provider.js';
import { createSelfHostedProvider } from '../provision/self-hosted.js';
import { connectSsh } from '../provision/ssh.js';
import { cloudInitUserData } from '../provision/user-data.js';
import { HostKeys } from './host-keys.js';
import type { Machine, Machines, Shell } from './machines.js';

/** Servers that one placement group can spread; Hetzner's limit. */
const groupSize = 10;

/** The provider that cluster.yaml names, with its credentials from the environment. */
export function openProvider({ dir, config, env }: Project): Provider {
  const cloud = () =>
    createHetznerProvider({
      token: env.HCLOUD_TOKEN ?? '',
      ...(env.HCLOUD_ENDPOINT ? { endpoint: env.HCLOUD_ENDPOINT } : {}),
    });
  if (config.provider.kind === 'self-hosted') {
    return createSelfHostedProvider(dir, env.HCLOUD_TOKEN ? cloud() : undefined);
  }
  if (!env.HCLOUD_TOKEN) {
    throw new Problem('provider.none', 'There is no token for the cloud', {
      where: 'HCLOUD_TOKEN',
      next: 'set HCLOUD_TOKEN in .env; without a cloud account: `nix-infra lab up`, then add what `nix-infra lab env` prints',
    });
  }
  return cloud();
}

/** The operator's key pair: `ssh/<SSH_KEY>` and `.pub`. */
export async function operatorKey(
  project: Project,
): Promise<{ name: string; path: string; privateKey: string; publicKey: string }> {
  const name = project.env.SSH_KEY || 'nixinfra';
  const path = join(project.dir, 'ssh', name);
  try {
    const [privateKey, publicKey] = await Promise.all([
      readFile(path, 'utf8'),
      readFile(`${path}.pub`, 'utf8'),
    ]);
    return { name, path, privateKey, publicKey: publicKey.trim() };
  } catch (cause) {
    throw new Problem('project.invalid', `There is no SSH key ssh/${name}`, { where: path, cause });
  }
}

export class ProviderMachines implements Machines {
  private readonly cluster: string;
  private readonly hostKeys: HostKeys;
  private shared: Promise<void> | undefined;
  private servers = new Map<string, Server>();

  constructor(
    private readonly project: Project,
    private readonly provider: Provider,
  ) {
    this.cluster = project.config.name;
    this.hostKeys = new HostKeys(project.dir);
  }

  async list(): Promise<readonly Machine[]> {
    const servers = await this.provider.listServers(this.cluster);
    this.servers = new Map(servers.map((server) => [server.name, server]));
    return servers.flatMap(({ name, ipv4 }) => (ipv4 === null ? [] : [{ name, ipv4 }]));
  }

  async create({ name, type, location }: { name: string; type: string; location: string }): Promise<Machine> {
    const { config } = this.project;
    this.shared ??= this.ensureShared();
    await this.shared;
    const key = await operatorKey(this.project);
    const hostKey = await this.hostKeys.ensure(name);
    await this.provider.createServer({
      name,
      type,
      location,
      image: config.provider.image,
      sshKeyName: this.keyName(key.name),
      labels: { [CLUSTER_LABEL]: this.cluster },
      userData: cloudInitUserData(hostKey),
      ...(config.provider.placementGroup ? { placementGroup: this.groupOf(name) } : {}),
    });
    const [server] = await this.provider.waitRunning([name], this.cluster);
    if (!server?.ipv4) {
      throw new Problem('provider.action-failed', `The server ${name} has no public IPv4 address`, {
        node: name,
      });
    }
    this.servers.set(name, server);
    return { name, ipv4: server.ipv4 };
  }

  async connect({ name, ipv4 }: Machine, limitMs: number): Promise<Shell> {
    const own = this.servers.get(name)?.ssh;
    const privateKey = own
      ? await readFile(own.keyFile, 'utf8')
      : (await operatorKey(this.project)).privateKey;
    const hostKeys = await this.hostKeys.known(name);
    if (hostKeys.length === 0) {
      throw new Problem('ssh.host-key', `The host key of ${name} is not known`, {
        node: name,
        where: this.hostKeys.file,
        next: `add a line "${name} ssh-ed25519 AAAA…" with the server's public host key`,
      });
    }
    return connectSsh({
      host: ipv4,
      node: name,
      privateKey,
      hostKeys,
      deadlineMs: limitMs,
      ...(own ? { user: own.user } : {}),
    });
  }

  async remove(names: readonly string[]): Promise<void> {
    await this.provider.deleteServers(names, this.cluster);
    await this.hostKeys.forget(names);
  }

  async removeShared(): Promise<void> {
    await this.provider.removeSshKey(this.keyName(this.project.env.SSH_KEY || 'nixinfra'), this.cluster);
    for (const group of this.groups()) await this.provider.removePlacementGroup(group, this.cluster);
  }

  private async ensureShared(): Promise<void> {
    const key = await operatorKey(this.project);
    await this.provider.ensureSshKey(this.keyName(key.name), key.publicKey, this.cluster);
    if (!this.project.config.provider.placementGroup) return;
    for (const group of this.groups()) await this.provider.ensurePlacementGroup(group, this.cluster);
  }

  /** Two clusters of one cloud project may both call their key `nixinfra`. */
  private keyName(name: string): string {
    return `${this.cluster}-${name}`;
  }

  private groupOf(node: string): string {
    const index = this.project.config.nodes.findIndex(({ name }) => name === node);
    return `${this.cluster}-${1 + Math.floor(Math.max(index, 0) / groupSize)}`;
  }

  private groups(): string[] {
    return [...new Set(this.project.config.nodes.map(({ name }) => this.groupOf(name)))];
  }
}
