/** Whether this host can run the lab's machines; said before anything is built or started. */
import { existsSync, readFileSync } from 'node:fs';
import { readFile, statfs, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Problem } from '../../shared/errors.js';
import { labDefaults } from '../defaults.js';
import type { Report } from '../image/cache.js';
import { run } from '../run.js';
import { stateDir } from './state-dir.js';

/** One thing that is missing: what, and what to do about it. */
export interface Lack {
  what: string;
  next: string;
}

/** What the host said about itself. */
export interface HostFacts {
  platform: string;
  uid: number | undefined;
  /** Text of /proc/filesystems. */
  filesystems: string;
  /** First line of `systemd-nspawn --version`; empty when it is not there. */
  nspawn: string;
  /** Programs the driver calls that are not in PATH. */
  missingPrograms: readonly string[];
  /** Whether the kernel filters bridged frames on request: flannel refuses to start in a machine without it. */
  bridgeNetfilter: boolean;
  /** Magic number of the file system that holds the state directory. */
  stateFsType: number;
  stateDir: string;
  /** What went wrong when namespaces, a bridge and a veth were tried; empty when nothing did. */
  namespaceError: string;
}

/** Programs and the Debian packages that bring them. */
const programs: Readonly<Record<string, string>> = {
  bash: 'bash',
  ip: 'iproute2',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  mount: 'mount',
  'ssh-keygen': 'openssh-client',
};

const overlayMagic = 0x794c7630;
const tmpfsMagic = 0x01021994;

/** Everything that is missing, the most basic first. */
export function lacks(facts: HostFacts): Lack[] {
  if (facts.platform !== 'linux') {
    return [
      { what: `the system is ${facts.platform}, not Linux`, next: 'use a Linux host or virtual machine' },
    ];
  }
  const found: Lack[] = [];
  if (facts.uid !== 0) found.push({ what: 'it does not run as root', next: 'run it again with sudo' });
  if (facts.missingPrograms.length > 0) {
    const packages = [...new Set(facts.missingPrograms.map((name) => programs[name] ?? name))];
    found.push({
      what: `not installed: ${facts.missingPrograms.join(', ')}`,
      next: `apt-get install ${packages.join(' ')}`,
    });
  }
  const version = Number(/systemd (\d+)/.exec(facts.nspawn)?.[1] ?? 0);
  if (version === 0) {
    found.push({ what: 'systemd-nspawn is not installed', next: 'apt-get install systemd-container' });
  } else if (version < labDefaults.nspawnVersion) {
    found.push({
      what: `systemd-nspawn is version ${version}, older than ${labDefaults.nspawnVersion}`,
      next: 'use a newer distribution, e.g. Debian 12 or later',
    });
  }
  if (!/\boverlay$/m.test(facts.filesystems)) {
    found.push({
      what: 'the kernel has no overlayfs',
      next: 'modprobe overlay, or use a kernel that has it',
    });
  }
  if (!facts.bridgeNetfilter) {
    found.push({
      what: 'the kernel has no br_netfilter, which flannel in the machines asks for',
      next: 'modprobe br_netfilter, or use a kernel that has it',
    });
  }
  if (facts.stateFsType === overlayMagic || facts.stateFsType === tmpfsMagic) {
    const type = facts.stateFsType === overlayMagic ? 'an overlay' : 'a tmpfs';
    found.push({
      what: `${facts.stateDir} lies on ${type}, which cannot carry the machines' layers`,
      next: 'set NIX_INFRA_LAB_DIR to a folder on a disk',
    });
  }
  if (/[:,\\\s]/.test(facts.stateDir)) {
    found.push({
      what: `the path ${facts.stateDir} has a character that mount options cannot hold`,
      next: 'set NIX_INFRA_LAB_DIR to a path without blanks, colons and commas',
    });
  }
  if (facts.uid === 0 && facts.missingPrograms.length === 0 && facts.namespaceError !== '') {
    found.push({
      what: `namespaces, bridges or veths cannot be made (${facts.namespaceError})`,
      next: 'use a host or virtual machine with all rights of root, not a container without them',
    });
  }
  return found;
}

/**
 * Throws `lab.unsupported` when the machines cannot run here: the message says the first thing that is missing and what
 * to do, the log the others. Raises the host's inotify limit when it is too low, and reports that.
 */
export async function preflight(report: Report, dir?: string): Promise<void> {
  const [first, ...others] = lacks(await hostFacts(stateDir(dir).root));
  if (first) {
    throw new Problem('lab.unsupported', `The lab cannot run here: ${first.what}`, {
      next: first.next,
      log: others.map(({ what, next }) => `also: ${what}; ${next}`),
    });
  }
  await raiseInotify(report);
}

async function hostFacts(state: string): Promise<HostFacts> {
  if (process.platform === 'linux' && process.getuid?.() === 0) {
    await run(['modprobe', '-q', '-a', 'overlay', 'br_netfilter']);
  }
  const nspawn = await run(['systemd-nspawn', '--version']);
  const tried = await run(['unshare', '-m', '-n', '-p', '--fork', 'sh', '-c', trial]);
  const here = await Promise.all(
    Object.keys(programs).map(async (name) => ((await run(['which', name])).code === 0 ? [] : [name])),
  );
  return {
    platform: process.platform,
    uid: process.getuid?.(),
    filesystems: existsSync('/proc/filesystems') ? readFileSync('/proc/filesystems', 'utf8') : '',
    nspawn: nspawn.stdout,
    missingPrograms: here.flat(),
    bridgeNetfilter: existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables'),
    stateFsType: (await statfs(existing(state))).type,
    stateDir: state,
    namespaceError: tried.code === 0 ? '' : (tried.stderr.trim().split('\n')[0] ?? 'refused'),
  };
}

const trial = 'ip link add b0 type bridge && ip link add v0 type veth peer name v1';

function existing(path: string): string {
  return existsSync(path) ? path : existing(dirname(path));
}

async function raiseInotify(report: Report): Promise<void> {
  const path = '/proc/sys/fs/inotify/max_user_instances';
  const now = Number(await readFile(path, 'utf8'));
  if (now >= labDefaults.inotifyInstances) return;
  await writeFile(path, String(labDefaults.inotifyInstances));
  report(
    `lab: raised fs.inotify.max_user_instances of this host from ${now} to ${labDefaults.inotifyInstances}`,
  );
}
