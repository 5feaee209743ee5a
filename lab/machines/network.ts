/**
 * The lab's switch: a bridge in a network namespace of its own, with one cable to the host and one to each machine.
 * There, and not on the host, because firewalls of the host (Docker's, br_netfilter) would drop what machines say to
 * each other; and when the process that holds the namespace ends, every cable is gone.
 */
import { spawn } from 'node:child_process';
import { mkdir, unlink } from 'node:fs/promises';
import { Problem } from '../../shared/errors.js';
import { labDefaults } from '../defaults.js';
import { must, run } from '../run.js';
import { until } from '../wait.js';
import { directionsOf, partitionScript, rejoinScript } from './partitions.js';
import { isRunning, kill, type ProcessStamp, processStamp } from './process.js';
import { readJson, type StateDir, writeJson } from './state-dir.js';

export interface LabNetwork {
  /** IPv4 network of the machines, e.g. `10.77.0.0/24`. */
  cidr: string;
  /** The host's address in it: the machines' gateway and where the lab's API and controllers are reached. */
  host: string;
}

/** The network with the host at its first address; throws `lab.failed` for anything that is not an IPv4 CIDR /16 to /29. */
export function labNetwork(cidr: string = labDefaults.cidr): LabNetwork {
  const { base, bits } = parsedCidr(cidr);
  if (bits < 16 || bits > 29)
    throw new Problem('lab.failed', `${cidr} is not an IPv4 network between /16 and /29`);
  return { cidr, host: dotted(base + 1) };
}

/** A route of the host, as `ip -j route` lists it. */
export interface HostRoute {
  dst: string;
  dev?: string;
}

/** The host's route that already covers part of the network over another link; undefined when it is free. */
export function conflictingRoute(
  cidr: string,
  routes: readonly HostRoute[],
  ownLink: string,
): HostRoute | undefined {
  const wanted = parsedCidr(cidr);
  return routes.find(({ dst, dev }) => {
    if (dst === 'default' || dev === ownLink || !/^[\d.]+(\/\d+)?$/.test(dst)) return false;
    const there = parsedCidr(dst.includes('/') ? dst : `${dst}/32`);
    return wanted.base < there.base + there.size && there.base < wanted.base + wanted.size;
  });
}

/** A machine's MAC: fixed, because peers keep a stale ARP entry for seconds when it changes at a boot. */
export function macOf(ipv4: string): string {
  const { base } = parsedCidr(`${ipv4}/32`);
  return ['02', '77', ...[24, 16, 8, 0].map((shift) => hex(Math.floor(base / 2 ** shift) % 256))].join(':');
}

export class Switch {
  private readonly link: string;
  private ensured: Promise<ProcessStamp> | undefined;

  constructor(
    private readonly dir: StateDir,
    private readonly network: LabNetwork,
  ) {
    this.link = dir.tag;
  }

  /** Plugs a machine's eth0 in: `target` is a process in the machine's network namespace. */
  async plug(id: string, target: number, ipv4: string, up: boolean): Promise<void> {
    const port = portOf(id);
    await this.unplug(id);
    await this.ip(`link add ${port} type veth peer name eth0 address ${macOf(ipv4)} netns ${target}`);
    await this.ip(`link set ${port} master lab0 ${up ? 'up' : 'down'}`);
    const bits = this.network.cidr.split('/')[1];
    const inside = [
      'link set lo up',
      `addr add ${ipv4}/${bits} dev eth0`,
      'link set eth0 up',
      `route add default via ${this.network.host}`,
    ];
    await must(['nsenter', '-t', String(target), '-n', 'ip', '-batch', '-'], {
      input: `${inside.join('\n')}\n`,
    });
  }

  /** Removes a machine's cable; one that is not there is fine. */
  async unplug(id: string): Promise<void> {
    const holder = await this.ensure();
    await run([...inNamespace(holder), 'ip', 'link', 'del', portOf(id)]);
  }

  /** Takes the cable of a running machine out or puts it back. */
  async set(id: string, up: boolean): Promise<void> {
    await this.ip(`link set ${portOf(id)} ${up ? 'up' : 'down'}`);
  }

  /** Drops whatever this machine and the others say to each other, both ways, without a word to either. */
  async partition(id: string, others: readonly string[]): Promise<void> {
    if (others.length === 0) return;
    const argv = [...inNamespace(await this.ensure()), 'nft', '-f', '-'];
    const { code, stderr } = await run(argv, { input: partitionScript(portOf(id), others.map(portOf)) });
    if (code === 0) return;
    throw new Problem('lab.unsupported', 'Machines cannot be cut from each other on this host', {
      reason: stderr.trim(),
      next: 'apt-get install nftables, and use a kernel with nf_tables for bridges',
    });
  }

  /** Ends every partition of this machine. */
  async rejoin(id: string): Promise<void> {
    const holder = await readJson<ProcessStamp>(this.dir.switch);
    // No switch: no partition either, and no reason to make one.
    if (!holder || !isRunning(holder)) return;
    const enter = inNamespace(holder);
    const { code, stdout } = await run([...enter, 'nft', '-j', 'list', 'set', 'bridge', 'lab', 'cut']);
    // No such set: nothing was ever cut.
    const directions = code === 0 ? directionsOf(stdout, portOf(id)) : [];
    if (directions.length > 0) await must([...enter, 'nft', '-f', '-'], { input: rejoinScript(directions) });
  }

  /** Ends the switch with all its cables. */
  async destroy(): Promise<void> {
    const holder = await readJson<ProcessStamp>(this.dir.switch);
    await run(['ip', 'link', 'del', this.link]);
    if (holder && !(await kill(holder))) {
      throw new Problem('lab.failed', `The process ${holder.pid} that holds the lab's switch does not end`);
    }
    await unlink(this.dir.switch).catch(() => undefined);
    this.ensured = undefined;
  }

  private async ip(command: string): Promise<void> {
    await must([...inNamespace(await this.ensure()), 'ip', ...command.split(' ')]);
  }

  /** The process that holds the switch; made now if there is none. */
  private async ensure(): Promise<ProcessStamp> {
    this.ensured ??= this.make();
    const mine = this.ensured;
    const held = await mine.catch(() => undefined);
    if (held && isRunning(held)) return held;
    // Whoever sees it dead first makes it anew; the others wait for that.
    if (this.ensured === mine) this.ensured = this.make();
    return this.ensured;
  }

  private async make(): Promise<ProcessStamp> {
    const known = await readJson<ProcessStamp>(this.dir.switch);
    if (known && isRunning(known)) return known;
    await refuseConflict(this.network, this.link);
    await run(['ip', 'link', 'del', this.link]);
    const { holder, release } = await holdNamespace();
    try {
      await this.wire(holder);
    } catch (error) {
      await kill(holder);
      throw error;
    }
    await mkdir(this.dir.root, { recursive: true });
    await writeJson(this.dir.switch, holder);
    release();
    return holder;
  }

  private async wire(holder: ProcessStamp): Promise<void> {
    const bits = this.network.cidr.split('/')[1];
    const within = (command: string) => must([...inNamespace(holder), 'ip', ...command.split(' ')]);
    await within('link add lab0 type bridge forward_delay 0 stp_state 0 mcast_snooping 0');
    await within('link set lab0 up');
    await must([
      'ip',
      'link',
      'add',
      this.link,
      'type',
      'veth',
      'peer',
      'name',
      'host',
      'netns',
      String(holder.pid),
    ]);
    await within('link set host master lab0 up');
    await must(['ip', 'addr', 'add', `${this.network.host}/${bits}`, 'dev', this.link]);
    await must(['ip', 'link', 'set', this.link, 'up']);
  }
}

/** Throws `lab.unsupported` when the host already reaches part of the network elsewhere. */
export async function refuseConflict(network: LabNetwork, ownLink: string): Promise<void> {
  const routes = JSON.parse(await must(['ip', '-j', '-4', 'route', 'show', 'table', 'all'])) as HostRoute[];
  const conflict = conflictingRoute(network.cidr, routes, ownLink);
  if (!conflict) return;
  throw new Problem(
    'lab.unsupported',
    `This host already uses ${conflict.dst}, which overlaps ${network.cidr}`,
    {
      reason: `a route over ${conflict.dev ?? 'another link'}`,
      next: 'choose another network with `nix-infra lab up --network CIDR`, or take down the other lab',
    },
  );
}

/**
 * A process that does nothing but keep a network namespace. It ends with this process until it is released, so that
 * none is left that no file knows; from then on it outlives this one.
 */
async function holdNamespace(): Promise<{ holder: ProcessStamp; release(): void }> {
  const before = await must(['readlink', '/proc/self/ns/net']);
  const child = spawn('unshare', ['-n', 'sh', '-c', 'read -r _ && exec sleep infinity </dev/null'], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
  });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  const { pid } = child;
  const holder = await until(async () => {
    if (pid === undefined) return undefined;
    const { code, stdout } = await run(['readlink', `/proc/${pid}/ns/net`]);
    return code === 0 && stdout !== before ? processStamp(pid) : undefined;
  }, labDefaults.killMs);
  if (!holder) throw new Problem('lab.failed', 'The network namespace of the lab could not be made');
  return { holder, release: () => child.stdin.end('keep\n') };
}

function inNamespace(holder: ProcessStamp): string[] {
  return ['nsenter', '-t', String(holder.pid), '-n'];
}

/** The switch's end of a machine's cable; a link's name has at most 15 characters. */
function portOf(id: string): string {
  return `v-${id}`;
}

function parsedCidr(cidr: string): { base: number; size: number; bits: number } {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  const parts = match?.slice(1, 5).map(Number) ?? [256];
  const bits = Number(match?.[5]);
  if (!match || parts.some((part) => part > 255) || bits > 32) {
    throw new Problem('lab.failed', `"${cidr}" is not an IPv4 network`);
  }
  const size = 2 ** (32 - bits);
  const address = parts.reduce((sum, part) => sum * 256 + part, 0);
  return { base: address - (address % size), size, bits };
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
