/** `etcd restore`: makes every control node a member of a new etcd that holds what a snapshot holds. Safe to run again at any point. */
import { Problem } from '../../shared/errors.js';
import type { Project } from '../project/folder.js';
import { nextEpoch, parseEpoch } from '../store/epoch.js';
import { must } from './bootstrap.js';
import type { Convergence } from './convergence.js';
import { upDefaults } from './defaults.js';
import { executePlan } from './execute.js';
import type { Machine } from './machines.js';
import { planRestore, type RestoreStep, type Step } from './plan.js';
import { etcdctlOn } from './remote.js';
import * as commands from './restore-commands.js';
import { openSession } from './session.js';
import { readSnapshot, timeStamp } from './snapshot.js';
import type { RunOptions } from './up.js';

export interface RestoreOptions extends RunOptions {
  /** Told what could not be done and is no reason to stop. */
  warn: (line: string) => void;
  /** Asked once everything was looked at and nothing was done; undefined: not asked. */
  confirm: ((what: string) => Promise<boolean>) | undefined;
}

/** Throws `etcd.snapshot` for a file that is no snapshot, `ssh.*` while a control node cannot be reached: nothing was changed then. */
export async function restoreEtcd(project: Project, file: string, options: RestoreOptions): Promise<void> {
  const snapshot = await readSnapshot(file);
  const onProgress = (node: string, message: string) =>
    options.listener({ type: 'step-progress', node, message });
  const { convergence, etcdClusterToken } = await openSession(project, { onProgress });
  try {
    const servers = await convergence.locate();
    const present = project.config.nodes.filter(({ name }) => servers.has(name));
    const missing = project.config.nodes.find(({ name, kind }) => kind === 'control' && !servers.has(name));
    if (missing)
      throw new Problem('node.unknown', `There is no server "${missing.name}"`, {
        node: missing.name,
        next: `make it first: \`nix-infra cluster provision --node-names=${missing.name}\`, then \`nix-infra cluster init-ctrl --target=${missing.name}\``,
      });
    const control = present
      .filter(({ kind }) => kind === 'control')
      .map(({ name }): Machine => ({ name, ipv4: convergence.addresses().get(name) ?? '' }));
    const names = control.map(({ name }) => name).join(', ');
    const question = `What etcd holds on ${names} is replaced by ${file} (${snapshot.length} bytes). Proceed?`;
    if (options.confirm && !(await options.confirm(question)))
      throw new Problem('interrupted', 'Nothing was done', { next: 'run the command again and say yes' });
    const restore = new Restore(convergence, {
      control,
      snapshot,
      stamp: timeStamp(new Date()),
      token: etcdClusterToken,
      options,
    });
    await executePlan(planRestore(present), (step, signal) => restore.run(step, signal), {
      ...options,
      now: () => performance.now(),
    });
  } finally {
    convergence.close();
  }
}

interface RestoreParts {
  control: readonly Machine[];
  snapshot: Buffer;
  /** Names this run. */
  stamp: string;
  /** etcd's cluster token of the cluster. */
  token: string;
  options: RestoreOptions;
}

class Restore {
  private readonly places;
  private readonly epochs: number[] = [];
  /** Nodes that SSH did not reach. */
  private readonly away = new Set<string>();

  constructor(
    private readonly convergence: Convergence,
    private readonly parts: RestoreParts,
  ) {
    this.places = commands.placesOf(parts.stamp);
  }

  async run(step: Step, signal: AbortSignal): Promise<string> {
    if (step.kind === 'restore') return this.restore(step);
    if (step.kind === 'await-agent' && this.away.has(step.node))
      return 'not reached over SSH, not waited for';
    if (step.kind === 'deploy') throw new Problem('internal', 'A restore deploys nothing');
    return this.convergence.run(step, signal);
  }

  private async restore({ node, what }: RestoreStep): Promise<string> {
    switch (what) {
      case 'reach':
        return this.reach(node);
      case 'prepare':
        return this.prepare(node);
      case 'stop':
        await this.on(node, commands.stopCommand);
        return 'etcd and the controller are stopped';
      case 'swap':
        await this.on(node, commands.swapCommand(this.places));
        return `the old data is kept in ${this.places.aside}`;
      case 'start-etcd':
        await this.on(node, commands.startEtcdCommand);
        return 'etcd is ready';
      case 'raise-epoch':
        return this.raiseEpoch(node);
      case 'start-controller':
        await this.on(node, commands.startControllerCommand);
        return 'the controller is started';
      case 'restart-watchers':
        if (this.away.has(node)) return 'not reached over SSH';
        await this.on(node, commands.restartWatchersCommand);
        return 'confd and flannel watch the new etcd';
    }
  }

  /** A control node must be there; of another one it is told, and it has to be mended by hand. */
  private async reach(node: string): Promise<string> {
    try {
      await this.convergence.shell(node, upDefaults.reachMs);
      return 'host key verified';
    } catch (error) {
      if (this.parts.control.some(({ name }) => name === node)) throw error;
      this.away.add(node);
      this.parts.options.warn(
        `WARNING: ${node} is not reached (${Problem.from(error).message}); when it is back: \`nix-infra cluster cmd --target=${node} "${commands.restartWatchersCommand}"\``,
      );
      return 'NOT REACHED';
    }
  }

  private async prepare(node: string): Promise<string> {
    const { control, snapshot, stamp, token } = this.parts;
    // What an etcd that still answers knows; one that does not cannot be asked, and then the clock is above it.
    const shell = await this.convergence.shell(node);
    const { code, stdout } = await shell.exec(commands.readEpochCommand(etcdctlOn(node)));
    if (code === 0) this.epochs.push(parseEpoch(stdout.trim()));
    const url = ({ ipv4 }: Machine) => `https://${ipv4}:2380`;
    const own = control.find(({ name }) => name === node);
    const member = {
      name: node,
      peerUrl: own ? url(own) : '',
      initialCluster: control.map((machine) => `${machine.name}=${url(machine)}`).join(','),
      token: `${token}-${stamp}`,
    };
    await this.on(node, commands.prepareCommand(this.places, member, snapshot.length), snapshot);
    return 'the new data is made';
  }

  private async raiseEpoch(node: string): Promise<string> {
    const etcdctl = etcdctlOn(node);
    const shell = await this.convergence.shell(node);
    const { stdout } = await shell.exec(commands.readEpochCommand(etcdctl));
    const epoch = nextEpoch([...this.epochs, parseEpoch(stdout.trim())], Date.now());
    const said = await this.on(node, commands.raiseEpochCommand(etcdctl, epoch));
    if (said.includes('a rollout runs'))
      this.parts.options.warn(
        'WARNING: a rollout was running when the snapshot was made, and goes on; see `nix-infra rollout show`',
      );
    return `the epoch is ${epoch}`;
  }

  private async on(node: string, command: string, input?: Buffer): Promise<string> {
    return must(await this.convergence.shell(node), node, command, input);
  }
}
