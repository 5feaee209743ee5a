/** Servers of Hetzner Cloud, and of anything that speaks its API. */
import { Problem } from '../../../shared/errors.js';
import { provisionDefaults as defaults } from '../defaults.js';
import {
  byName,
  CLUSTER_LABEL,
  type Provider,
  type Server,
  type ServerSpec,
  type ServerStatus,
} from '../provider.js';
import { type PendingAction, pollPause, waitActions } from './actions.js';
import { HetznerClient, type HetznerClientOptions } from './client.js';
import { ApiProblem, failureKind, hasCode } from './failure.js';
import { imageFor } from './image.js';
import { ensureKey, removeLabelled } from './labelled.js';
import * as wire from './wire.js';

/** Makes the provider; throws `provider.auth` for a token that cannot be one. Nothing is sent yet. */
export function createHetznerProvider(options: HetznerClientOptions): Provider {
  return new HetznerProvider(new HetznerClient(options));
}

class HetznerProvider implements Provider {
  readonly name = 'hetzner';
  /** Actions that createServer started and nobody has waited for; a failed boot shows only there. */
  private readonly pending = new Map<string, PendingAction[]>();
  /** Names under which the project knows a key that was wanted under another name. */
  private readonly keyNames = new Map<string, string>();

  constructor(private readonly client: HetznerClient) {}

  async listServers(cluster: string): Promise<Server[]> {
    return byName((await this.ofCluster(cluster)).map(fromWire));
  }

  async ensureSshKey(name: string, publicKey: string, cluster: string): Promise<void> {
    this.keyNames.set(name, await ensureKey(this.client, name, publicKey, cluster));
  }

  async ensurePlacementGroup(name: string, cluster: string): Promise<void> {
    const path = '/placement_groups';
    const labels = { [CLUSTER_LABEL]: cluster };
    if (await this.placementGroup(name, cluster)) return;
    try {
      await this.client.request('POST', path, { body: { name, type: 'spread', labels } });
    } catch (error) {
      // Made by someone else in between, or by the request whose answer was lost.
      if (!(await this.placementGroup(name, cluster))) throw error;
    }
  }

  async createServer(spec: ServerSpec): Promise<Server> {
    const cluster = spec.labels[CLUSTER_LABEL];
    if (!cluster) throw new Problem('internal', `The server ${spec.name} was asked for without a cluster`);
    const existing = await this.find(spec.name, cluster);
    if (existing) return existing;
    const body = await this.createBody(spec, cluster);
    for (let attempt = 0; ; attempt += 1) {
      try {
        const made = await this.client.request('POST', '/servers', {
          schema: wire.created,
          body,
          node: spec.name,
        });
        const actions = [made.action, ...made.next_actions];
        this.pending.set(
          spec.name,
          actions.map((action) => ({ node: spec.name, action })),
        );
        return fromWire(made.server);
      } catch (error) {
        const unsure = error instanceof ApiProblem && failureKind(error.failure) === 'unsure';
        if (!unsure && !hasCode(error, 'uniqueness_error')) throw error;
        // Names are unique, so the name tells whether the request was carried out: never make it twice.
        if (unsure) await this.client.clock.sleep(this.client.pause(attempt));
        const found = await this.find(spec.name, cluster);
        if (found) return found;
        if (!unsure || attempt + 1 >= defaults.attempts) throw error;
      }
    }
  }

  async waitRunning(names: readonly string[], cluster: string): Promise<Server[]> {
    await waitActions(this.client, this.takePending(names));
    const end = this.client.clock.now() + defaults.actionMs;
    const started = new Set<string>();
    for (let poll = 0; ; poll += 1) {
      const servers = await this.ofCluster(cluster);
      const wanted = names.map((name) => {
        const server = servers.find((each) => each.name === name);
        if (server) return server;
        throw new Problem('node.unknown', `The cluster has no server ${name}`, { node: name });
      });
      const late = wanted.find((server) => server.status !== 'running');
      if (!late) return wanted.map(fromWire);
      if (this.client.clock.now() > end) {
        throw new Problem('provider.action-failed', `The server ${late.name} does not start`, {
          node: late.name,
          reason: `the cloud says it is ${late.status}`,
        });
      }
      const off = wanted.filter((each) => each.status === 'off' && !each.locked && !started.has(each.name));
      for (const { name } of off) started.add(name);
      if (off.length > 0) await waitActions(this.client, await this.powerOn(off));
      else await this.client.clock.sleep(pollPause(poll));
    }
  }

  async deleteServers(names: readonly string[], cluster: string): Promise<void> {
    this.takePending(names);
    const end = this.client.clock.now() + defaults.actionMs;
    for (let poll = 0; ; poll += 1) {
      const left = (await this.ofCluster(cluster)).filter((server) => names.includes(server.name));
      const [first] = left;
      if (!first) return;
      if (this.client.clock.now() > end) {
        throw new Problem('provider.action-failed', `The server ${first.name} is still there`, {
          node: first.name,
        });
      }
      const doomed = left.filter((server) => server.status !== 'deleting');
      const removals = await Promise.all(doomed.map((server) => this.remove(server)));
      await waitActions(this.client, removals.flat());
      if (doomed.length === 0) await this.client.clock.sleep(pollPause(poll));
    }
  }

  removeSshKey(name: string, cluster: string): Promise<void> {
    return removeLabelled(this.client, '/ssh_keys', 'ssh_keys', name, cluster);
  }

  removePlacementGroup(name: string, cluster: string): Promise<void> {
    return removeLabelled(this.client, '/placement_groups', 'placement_groups', name, cluster);
  }

  private ofCluster(cluster: string): Promise<wire.WireServer[]> {
    const label_selector = `${CLUSTER_LABEL}=${cluster}`;
    return this.client.list('/servers', 'servers', wire.server, { label_selector });
  }

  /** The cluster's server of that name; throws when the name is another's. */
  private async find(name: string, cluster: string): Promise<Server | undefined> {
    const [found] = await this.client.list('/servers', 'servers', wire.server, { name });
    if (!found) return undefined;
    if (found.labels[CLUSTER_LABEL] === cluster) return fromWire(found);
    throw takenBy('server', name, found.labels);
  }

  private async placementGroup(name: string, cluster: string): Promise<number | undefined> {
    const [found] = await this.client.list('/placement_groups', 'placement_groups', wire.placementGroup, {
      name,
    });
    const owner = found?.labels[CLUSTER_LABEL];
    if (found && owner !== undefined && owner !== cluster)
      throw takenBy('placement group', name, found.labels);
    return found?.id;
  }

  private async createBody(spec: ServerSpec, cluster: string): Promise<object> {
    const group = spec.placementGroup;
    const placement = group === undefined ? undefined : await this.placementGroup(group, cluster);
    if (group !== undefined && placement === undefined) {
      throw new Problem('provider.rejected', `There is no placement group ${group}`, { node: spec.name });
    }
    return {
      name: spec.name,
      server_type: spec.type,
      location: spec.location,
      image: await imageFor(this.client, spec.image, spec.type),
      ssh_keys: [this.keyNames.get(spec.sshKeyName) ?? spec.sshKeyName],
      labels: spec.labels,
      user_data: spec.userData,
      start_after_create: true,
      ...(placement === undefined ? {} : { placement_group: placement }),
    };
  }

  private async powerOn(servers: readonly wire.WireServer[]): Promise<PendingAction[]> {
    return Promise.all(
      servers.map(async ({ id, name }) => {
        const path = `/servers/${id}/actions/poweron`;
        const { action } = await this.client.request('POST', path, {
          schema: wire.withAction,
          repeatable: true,
          node: name,
        });
        return { node: name, action };
      }),
    );
  }

  private async remove({ id, name }: wire.WireServer): Promise<PendingAction[]> {
    try {
      const options = { schema: wire.withAction, node: name };
      const { action } = await this.client.request('DELETE', `/servers/${id}`, options);
      return [{ node: name, action }];
    } catch (error) {
      if (hasCode(error, 'not_found')) return [];
      throw error;
    }
  }

  private takePending(names: readonly string[]): PendingAction[] {
    return names.flatMap((name) => {
      const actions = this.pending.get(name) ?? [];
      this.pending.delete(name);
      return actions;
    });
  }
}

const statuses: Readonly<Record<string, ServerStatus>> = {
  initializing: 'starting',
  starting: 'starting',
  running: 'running',
  off: 'off',
  deleting: 'deleting',
};

function fromWire(server: wire.WireServer): Server {
  return {
    id: String(server.id),
    name: server.name,
    ipv4: server.public_net.ipv4?.ip ?? null,
    status: statuses[server.status] ?? 'unknown',
    labels: server.labels,
    type: server.server_type.name,
    location: server.location?.name ?? '',
  };
}

function takenBy(what: string, name: string, labels: Record<string, string>): Problem {
  const owner = labels[CLUSTER_LABEL];
  return new Problem(
    'provider.rejected',
    `The cloud project has a ${what} ${name} that is not of this cluster`,
    {
      node: name,
      reason: owner ? `it belongs to the cluster ${owner}` : `it has no label ${CLUSTER_LABEL}`,
      next: 'choose another name in cluster.yaml, or another cloud project',
    },
  );
}
