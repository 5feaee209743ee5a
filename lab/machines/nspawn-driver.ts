/**
 * Machines as systemd-nspawn containers: own root by overlayfs, systemd as PID 1, own network namespace and address.
 * All it knows stands in the state directory, so every process may operate the machines that another one made.
 */

import { existsSync } from 'node:fs';
import { appendFile, mkdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '../../shared/errors.js';
import { labDefaults } from '../defaults.js';
import { claimLayers } from '../image/claims.js';
import type { Images } from '../image/images.js';
import { lastLines, must, type Ran, run } from '../run.js';
import { until } from '../wait.js';
import { makeCgroups, removeCgroups } from './cgroups.js';
import type { MachineDriver, MachineSpec, MachineState } from './driver.js';
import { type LabNetwork, labNetwork, Switch } from './network.js';
import { initBelow, isRunning, kill, type ProcessStamp, signal } from './process.js';
import { seed } from './seed.js';
import {
  checkedId,
  type MachineRecord,
  machinePaths,
  type RunRecord,
  readJson,
  type StateDir,
  stateDir,
  writeJson,
} from './state-dir.js';
import { launch } from './supervisor.js';

export interface NspawnOptions {
  /** Images that a machine can be made from (`ensureImages`); snapshots come on top. */
  images: Images;
  /** Folder for machines and snapshots; default `$NIX_INFRA_LAB_DIR`, else `/var/lib/nix-infra-lab`. */
  dir?: string;
  /** Default `labNetwork()`: 10.77.0.0/24 with the host at 10.77.0.1. */
  network?: LabNetwork;
}

/** The driver. It does nothing before the first call; `preflight()` tells whether it can work here. */
export function createNspawnDriver(options: NspawnOptions): MachineDriver {
  const dir = stateDir(options.dir);
  return new NspawnDriver(dir, options.images, new Switch(dir, options.network ?? labNetwork()));
}

/** SIGRTMIN+3: systemd's orderly halt. Node has no name for it. */
const haltSignal = 37;

/** Name of the queue of changes to what is cut from what, for a partition belongs to two machines; no machine's id is as long. */
const partitions = 'partitions-of-all';

const loginPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

class NspawnDriver implements MachineDriver {
  /** Per machine the end of the queue of what was asked; two changes of one machine never overlap. */
  private readonly queues = new Map<string, Promise<unknown>>();

  constructor(
    private readonly dir: StateDir,
    private readonly images: Images,
    private readonly network: Switch,
  ) {}

  create(spec: MachineSpec): Promise<void> {
    return this.exclusive(checkedId(spec.id), () => this.make(spec));
  }

  start(id: string): Promise<void> {
    return this.exclusive(id, () => this.boot(id));
  }

  shutdown(id: string): Promise<void> {
    return this.exclusive(id, () => this.orderlyOff(id));
  }

  powerOff(id: string): Promise<void> {
    return this.exclusive(id, () => this.cutPower(id));
  }

  /** As off and on again, so that a machine that hangs on its way down comes back too. */
  reboot(id: string): Promise<void> {
    return this.exclusive(id, async () => {
      await this.orderlyOff(id);
      await this.boot(id);
    });
  }

  destroy(id: string): Promise<void> {
    return this.exclusive(id, async () => {
      const paths = machinePaths(this.dir, checkedId(id));
      if (!existsSync(paths.root)) return;
      await this.cutPower(id);
      await this.exclusive(partitions, () => this.network.rejoin(id));
      await removeCgroups(this.dir.tag, id);
      await must(['rm', '-rf', '--one-file-system', paths.root]);
    });
  }

  async state(id: string): Promise<MachineState> {
    const record = await readJson<MachineRecord>(machinePaths(this.dir, checkedId(id)).record);
    if (!record) return 'absent';
    // Not by its init, which is away for a moment while the machine reboots itself.
    return (await this.supervisor(id)) ? 'running' : 'off';
  }

  /** The image does not hold what podman stored (/var/lib/containers is a disk of its own). */
  snapshot(id: string, image: string): Promise<void> {
    return this.exclusive(id, async () => {
      const { layers } = await this.record(id);
      if (await this.supervisor(id))
        throw new Problem('lab.failed', `Machine ${id} has to be off for a snapshot`);
      const target = join(this.dir.images, checkedId(image, 'image'));
      const temp = `${target}.tmp`;
      await must(['rm', '-rf', '--one-file-system', temp]);
      await mkdir(temp, { recursive: true });
      // -a keeps the overlay's marks of removed files: devices and trusted attributes.
      await must(['cp', '-a', machinePaths(this.dir, id).upper, join(temp, 'upper')]);
      await writeJson(join(temp, 'image.json'), { layers: [join(target, 'upper'), ...layers] });
      await must(['rm', '-rf', '--one-file-system', target]);
      await rename(temp, target);
    });
  }

  link(id: string, up: boolean): Promise<void> {
    return this.exclusive(id, async () => {
      await this.record(id);
      const { unplugged } = machinePaths(this.dir, id);
      await (up ? rm(unplugged, { force: true }) : writeFile(unplugged, ''));
      if (await this.supervisor(id)) await this.network.set(id, up);
    });
  }

  async partition(id: string, others: readonly string[]): Promise<void> {
    for (const one of [id, ...others]) await this.record(one);
    await this.exclusive(partitions, () => this.network.partition(id, others));
  }

  async rejoin(id: string): Promise<void> {
    await this.record(id);
    await this.exclusive(partitions, () => this.network.rejoin(id));
  }

  async exec(id: string, argv: readonly string[]): Promise<Ran> {
    await this.record(id);
    const supervisor = await this.supervisor(id);
    const init = supervisor && initBelow(supervisor.pid);
    if (!init) throw new Problem('lab.failed', `Machine ${id} does not run`, { next: 'start it first' });
    const enter = ['nsenter', '-t', String(init.pid), '-m', '-u', '-i', '-n', '-p', '-C'];
    const env = ['env', '-i', '--chdir=/', `PATH=${loginPath}`, 'HOME=/root', 'USER=root', 'LANG=C.UTF-8'];
    // A machine that goes down stops (SIGSTOP) every process inside before it kills them. nsenter then stops itself too, never
    // reaps its dead child, and that zombie keeps the machine's pid namespace, and so its reboot, from ending.
    return run([...enter, ...env, ...argv], { unstoppable: true });
  }

  private async make(spec: MachineSpec): Promise<void> {
    const paths = machinePaths(this.dir, spec.id);
    if (existsSync(paths.record)) return;
    const layers = await this.layersOf(spec.image);
    await claimLayers(this.dir.root);
    // A creation that was interrupted left no record; begin again.
    await must(['rm', '-rf', '--one-file-system', paths.root]);
    for (const path of [paths.upper, paths.work, paths.mount, paths.containers]) {
      await mkdir(path, { recursive: true });
    }
    try {
      await seed(spec, paths.upper, paths.machineId);
      await writeJson(paths.record, { spec, layers } satisfies MachineRecord);
    } catch (error) {
      await must(['rm', '-rf', '--one-file-system', paths.root]);
      throw error;
    }
  }

  private async layersOf(image: string): Promise<readonly string[]> {
    const known = Object.hasOwn(this.images, image) ? this.images[image] : undefined;
    if (known) return known;
    const path = join(this.dir.images, checkedId(image, 'image'), 'image.json');
    const snapshot = await readJson<{ layers: string[] }>(path);
    if (snapshot) return snapshot.layers;
    throw new Problem('lab.failed', `There is no image "${image}"`, {
      next: `take one of: ${Object.keys(this.images).join(', ')}, or a snapshot`,
    });
  }

  private async boot(id: string): Promise<void> {
    const record = await this.record(id);
    // A supervisor that is there may just be on its way out, after a poweroff from inside.
    if ((await this.supervisor(id)) && (await this.initRuns(id))) return;
    await this.settleDead(id);
    await this.launch(id, record);
    if (await this.initRuns(id)) return;
    await this.cutPower(id);
    const { console } = machinePaths(this.dir, id);
    throw new Problem('lab.failed', `Machine ${id} (${record.spec.hostname}) does not boot`, {
      where: console,
      log: lastLines(await readFile(console, 'utf8'), 15),
    });
  }

  private async launch(id: string, { spec, layers }: MachineRecord): Promise<void> {
    const { root, console, run: path, unplugged } = machinePaths(this.dir, id);
    const cgroups = await makeCgroups(this.dir.tag, id);
    await appendFile(console, `--- start ${new Date().toISOString()}\n`);
    await launch({ dir: root, name: spec.hostname, layers, cgroups, console }, async (stamps) => {
      await writeJson(path, stamps);
      await this.network.plug(id, stamps.supervisor.pid, spec.ipv4, !existsSync(unplugged));
    });
  }

  /** Waits for the machine's init; false when the supervisor ends first or the time is over. */
  private async initRuns(id: string): Promise<boolean> {
    const seen = await until(async () => {
      const supervisor = await this.supervisor(id);
      if (!supervisor) return 'ended';
      return initBelow(supervisor.pid) && 'up';
    }, labDefaults.bootMs);
    return seen === 'up';
  }

  private async orderlyOff(id: string): Promise<void> {
    await this.record(id);
    const supervisor = await this.supervisor(id);
    if (supervisor) await until(() => this.askToHalt(supervisor), labDefaults.shutdownMs);
    await this.cutPower(id);
  }

  /** Asks again at each look: an init that has only just begun ignores the signal, one that is on its way ignores repeats. */
  private askToHalt(supervisor: ProcessStamp): boolean {
    const init = initBelow(supervisor.pid);
    if (init) signal(init, haltSignal);
    return !isRunning(supervisor);
  }

  private async cutPower(id: string): Promise<void> {
    const supervisor = await this.supervisor(id);
    // Cable first: the kernel says goodbye for the sockets of a killed process, a dead server does not.
    if (supervisor) await this.network.set(id, false).catch(() => undefined);
    await this.settleDead(id);
  }

  /** Ends what is left of a run and forgets it. */
  private async settleDead(id: string): Promise<void> {
    const { run: path } = machinePaths(this.dir, checkedId(id));
    const stamps = await readJson<RunRecord>(path);
    if (!stamps) return;
    for (const stamp of [stamps.supervisor, stamps.launcher]) {
      if (!(await kill(stamp))) {
        throw new Problem('lab.failed', `Process ${stamp.pid} of machine ${id} does not end`);
      }
    }
    await this.network.unplug(id);
    await unlink(path);
  }

  private async supervisor(id: string): Promise<ProcessStamp | undefined> {
    const stamps = await readJson<RunRecord>(machinePaths(this.dir, checkedId(id)).run);
    return stamps && isRunning(stamps.supervisor) ? stamps.supervisor : undefined;
  }

  private async record(id: string): Promise<MachineRecord> {
    const record = await readJson<MachineRecord>(machinePaths(this.dir, checkedId(id)).record);
    if (record) return record;
    throw new Problem('lab.failed', `There is no machine ${id}`, { next: 'see `nix-infra lab status`' });
  }

  private exclusive<T>(id: string, work: () => Promise<T>): Promise<T> {
    const result = (this.queues.get(id) ?? Promise.resolve()).then(work);
    this.queues.set(
      id,
      result.catch(() => undefined),
    );
    return result;
  }
}
