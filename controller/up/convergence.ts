/** Carries out the steps of a plan: keeps what earlier steps learnt (addresses, sessions) for later ones. */
import { setTimeout as delay } from 'node:timers/promises';
import type { GetStatusResponse, NodeState } from '../../proto/gen/nixinfra/v1/operator.js';
import { Problem } from '../../shared/errors.js';
import type { Operator } from '../operator-client/operator-client.js';
import type { Authority } from '../pki/authority.js';
import { type Bundle, buildBundle, type Programs, type ProjectFiles } from '../project/bundle.js';
import type { NodeConfig } from '../project/cluster-config.js';
import type { ClusterFacts } from '../project/cluster-json.js';
import type { Project } from '../project/folder.js';
import { bootstrapNode, endJoin, hasEtcdData, prepareJoin, wasBootstrapped } from './bootstrap.js';
import { certificateFiles } from './certificates.js';
import { upDefaults } from './defaults.js';
import type { Machine, Machines, Shell } from './machines.js';
import type { Observed, Step } from './plan.js';

export interface ConvergenceParts {
  project: Project;
  files: ProjectFiles;
  programs: Programs;
  machines: Machines;
  authority: Authority;
  /** Makes the connection to the controllers, once the addresses of control nodes are known. */
  connectOperator: (control: readonly Machine[]) => Promise<Operator>;
  sshKeys: readonly string[];
  etcdClusterToken: string;
  stateVersion: string;
  onProgress: (node: string, message: string) => void;
}

export class Convergence {
  private readonly ipv4 = new Map<string, string>();
  private readonly overlayIp = new Map<string, string>();
  private readonly shells = new Map<string, Shell>();
  private operator: Operator | undefined;
  /** Controllers answered when `observe` looked: new control nodes join their etcd instead of making one. */
  private alive = false;

  constructor(private readonly parts: ConvergenceParts) {}

  /** Looks at what is there. A cluster whose controllers do not answer is one where no agent is connected. */
  async observe(): Promise<Observed> {
    const servers = await this.locate();
    const status = await this.status().catch((error: unknown) => {
      if (error instanceof Problem && ['controller.unreachable', 'etcd.unavailable'].includes(error.code))
        return undefined;
      throw error;
    });
    this.alive = status !== undefined;
    const nodes = status?.nodes ?? [];
    return {
      servers,
      connected: new Set(
        nodes.filter(({ name, connected }) => connected && servers.has(name)).map(({ name }) => name),
      ),
      registered: new Set(nodes.filter((state) => this.isRegistered(state)).map(({ name }) => name)),
    };
  }

  /** Learns the addresses of the servers that there are; their names. */
  async locate(): Promise<Set<string>> {
    const machines = await this.parts.machines.list();
    for (const { name, ipv4 } of machines) this.ipv4.set(name, ipv4);
    return new Set(machines.map(({ name }) => name));
  }

  /** The addresses that are known; filled by `observe` and by steps. */
  addresses(): ReadonlyMap<string, string> {
    return this.ipv4;
  }

  /** Every step but the rollout, which is no work of this process (roll-out.ts), and those of a restore (restore.ts). */
  async run(step: Exclude<Step, { kind: 'deploy' | 'restore' }>, signal: AbortSignal): Promise<string> {
    switch (step.kind) {
      case 'create': {
        const machine = await this.parts.machines.create({
          name: step.node,
          type: step.type,
          location: step.location,
        });
        this.ipv4.set(machine.name, machine.ipv4);
        this.forgetConnection();
        return `created, ${machine.ipv4}`;
      }
      case 'reach':
        await this.shell(step.node);
        return 'host key verified';
      case 'bootstrap':
        return this.bootstrap(step.node, signal);
      case 'await-controller': {
        const status = await this.until(signal, upDefaults.controllerMs, () => this.status());
        return `${status.controller} answers`;
      }
      case 'reserve-overlay':
        return this.reserveOverlay(step.node);
      case 'register': {
        const node = this.config(step.node);
        await (await this.connected()).registerNode(node.name, this.address(node.name), node.services);
        return 'registered';
      }
      case 'await-agent':
        return this.awaitAgent(step.node, signal);
      case 'leave-etcd':
        await (await this.connected()).removeMember(step.node, step.force);
        return 'is no member of etcd';
      case 'unregister': {
        const keys = await (await this.connected()).removeNode(step.node);
        return keys === 0 ? 'was not registered' : 'unregistered';
      }
      case 'delete':
        return this.remove(step.node);
    }
  }

  /** The bundle of a node with the addresses known now. */
  bundle(name: string): Bundle {
    const { project, files, programs, sshKeys, etcdClusterToken, stateVersion } = this.parts;
    const facts: ClusterFacts = {
      ipv4: Object.fromEntries(this.ipv4),
      overlayIp: Object.fromEntries(this.overlayIp),
      sshKeys,
      etcdClusterToken,
      stateVersion,
    };
    return buildBundle({ config: project.config, node: this.config(name), facts, files, programs });
  }

  /** The verified session of a node; kept until `close`. */
  async shell(name: string, limitMs: number = upDefaults.bootMs): Promise<Shell> {
    const open = this.shells.get(name);
    if (open) return open;
    const machine = { name, ipv4: this.address(name) };
    const shell = await this.parts.machines.connect(machine, limitMs);
    this.shells.set(name, shell);
    return shell;
  }

  async status(): Promise<GetStatusResponse> {
    return (await this.connected()).getStatus();
  }

  async reserveOverlay(name: string): Promise<string> {
    const subnet = await (await this.connected()).reserveOverlay(name, this.address(name));
    const overlayIp = subnet.split('/')[0] ?? '';
    this.overlayIp.set(name, overlayIp);
    return overlayIp;
  }

  /** The connection to the controllers; throws `controller.unreachable` while no control node has an address. */
  async connected(): Promise<Operator> {
    if (this.operator) return this.operator;
    const control = this.parts.project.config.nodes.flatMap(({ name, kind }) => {
      const ipv4 = this.ipv4.get(name);
      return kind === 'control' && ipv4 !== undefined ? [{ name, ipv4 }] : [];
    });
    if (control.length === 0) throw new Problem('controller.unreachable', 'There is no control node yet');
    this.operator = await this.parts.connectOperator(control);
    return this.operator;
  }

  close(): void {
    for (const shell of this.shells.values()) shell.close();
    this.operator?.close();
  }

  private async bootstrap(name: string, signal: AbortSignal): Promise<string> {
    const { authority, project, onProgress } = this.parts;
    const shell = await this.shell(name);
    if (await wasBootstrapped(shell)) return 'was bootstrapped before';
    const node = this.config(name);
    const joining = node.kind === 'control' && this.alive && !(await hasEtcdData(shell));
    if (joining) await prepareJoin(shell, name, await this.announce(node, signal));
    await bootstrapNode(shell, {
      node: name,
      bundle: this.bundle(name),
      certificates: await certificateFiles(authority, project, node, this.address(name)),
      onOutput: (line) => onProgress(name, line),
    });
    if (node.kind === 'control') await endJoin(shell);
    return joining ? 'bootstrapped, joined etcd' : 'bootstrapped';
  }

  /** Makes the node known to the control plane that runs; what its etcd starts with. */
  private async announce({ name, services }: NodeConfig, signal: AbortSignal): Promise<string> {
    const operator = await this.connected();
    const ipv4 = this.address(name);
    // First: by its registration a run that follows a killed one finds the member that was announced.
    await operator.registerNode(name, ipv4, services);
    // etcd wants its members to have been together for some seconds before another one comes.
    return this.until(signal, upDefaults.controllerMs, () => operator.addMember(name, ipv4));
  }

  /** Deletes the server, and forgets what was known of it: the next one of its name is another. */
  private async remove(name: string): Promise<string> {
    await this.parts.machines.remove([name]);
    this.shells.get(name)?.close();
    this.shells.delete(name);
    this.ipv4.delete(name);
    this.forgetConnection();
    return 'the server is gone';
  }

  /** The connection, if there is one, knows only the control nodes of before. */
  private forgetConnection(): void {
    this.operator?.close();
    this.operator = undefined;
  }

  private async awaitAgent(name: string, signal: AbortSignal): Promise<string> {
    const patience = performance.now() + upDefaults.revisionMs;
    try {
      const state = await this.until(signal, upDefaults.agentMs, async () => {
        const found = (await this.status()).nodes.find((node) => node.name === name);
        // It notes what bootstrap applied in its first moments; a plan made before would not know where the node comes from.
        if (found?.connected && (found.revision !== '' || performance.now() > patience)) return found;
        throw new Problem('agent.missing', `The agent of ${name} did not dial in`, { node: name });
      });
      return `connected to ${state.controller}`;
    } catch (error) {
      const problem = Problem.from(error);
      if (problem.code !== 'agent.missing') throw problem;
      const log = await (await this.shell(name)).exec(
        'journalctl -u nix-infra-agent -n 10 --no-pager -o cat 2>&1',
      );
      throw new Problem('agent.missing', problem.message, { node: name, log: log.stdout.trim().split('\n') });
    }
  }

  /** Tries until it works; the last error when it does not in time. A problem that waiting cannot cure ends it at once. */
  private async until<T>(signal: AbortSignal, limitMs: number, attempt: () => Promise<T>): Promise<T> {
    const deadline = Date.now() + limitMs;
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        const { code } = Problem.from(error);
        const curable = ['controller.unreachable', 'etcd.unavailable', 'agent.missing'].includes(code);
        if (signal.aborted) throw new Problem('interrupted', 'Interrupted');
        if (!curable || Date.now() > deadline) throw error;
      }
      await delay(upDefaults.pollMs, undefined, { signal }).catch(() => undefined);
    }
  }

  private isRegistered(state: NodeState): boolean {
    const node = this.parts.project.config.nodes.find(({ name }) => name === state.name);
    return (
      node !== undefined &&
      state.ipv4 === this.ipv4.get(state.name) &&
      [...state.services].sort().join() === [...node.services].sort().join()
    );
  }

  private config(name: string): NodeConfig {
    const node = this.parts.project.config.nodes.find((each) => each.name === name);
    if (!node)
      throw new Problem('node.unknown', `There is no node "${name}" in cluster.yaml`, { node: name });
    return node;
  }

  private address(name: string): string {
    const ipv4 = this.ipv4.get(name);
    if (ipv4 === undefined) {
      throw new Problem('node.unknown', `There is no server "${name}"`, {
        node: name,
        next: 'make it with `nix-infra up` or `nix-infra cluster provision`',
      });
    }
    return ipv4;
  }
}
