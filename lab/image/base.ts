/** The base image: the root file system of Debian that is the lowest layer of every machine. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '../../shared/errors.js';
import { labDefaults } from '../defaults.js';
import { repoRoot } from '../repo-root.js';
import { lastLines, run } from '../run.js';
import { ensureCached, keyOf, type Report } from './cache.js';
import { cacheRoot } from './cache-root.js';
import { debianMirror } from './mirror.js';

/** What debootstrap itself installs: a system that boots and takes an SSH login. */
const core = [
  ...['systemd', 'systemd-sysv', 'libpam-systemd', 'libnss-systemd', 'dbus', 'openssh-server', 'iproute2'],
  ...['ca-certificates', 'curl', 'iputils-ping', 'procps', 'netbase'],
];

/** What apt installs afterwards: debootstrap does not follow the virtual packages that some of these need. */
const packages = [
  ...['etcd-server', 'etcd-client', 'haproxy', 'nginx', 'docker-registry', 'nix-bin'],
  ...['podman', 'runc', 'crun', 'fuse-overlayfs', 'netavark', 'aardvark-dns'],
  ...[
    'wireguard-tools',
    'nftables',
    'iptables',
    'openssl',
    'less',
    'jq',
    'xz-utils',
    'git',
    'sudo',
    'util-linux',
  ],
  ...['rsync', 'socat'],
];

/**
 * Path of the base image, built now if its inputs changed (about a minute).
 * Throws `lab.unsupported` without debootstrap or a mirror, `lab.failed` with the log's end when the build fails.
 */
export async function ensureBaseImage(report: Report): Promise<string> {
  const script = join(repoRoot(), 'lab/image/build-base.sh');
  return ensureCached({
    kind: 'base',
    key: keyOf(await readFile(script), labDefaults.release, core.join(), packages.join(), process.arch),
    report,
    make: (dir) => build(script, dir, report),
  });
}

async function build(script: string, dir: string, report: Report): Promise<void> {
  const mirror = await debianMirror();
  const downloads = join(cacheRoot(), 'downloads');
  report(`base: building Debian ${labDefaults.release} from ${mirror}; this takes a minute or more, once`);
  const { code, stdout, stderr } = await run(
    ['bash', script, dir, labDefaults.release, mirror, downloads, core.join(), packages.join()],
    { timeoutMs: labDefaults.imageMs, onLine: (line) => reportStep(line, report) },
  );
  if (code === 0) return;
  if (/debootstrap: command not found/.test(stderr)) {
    throw new Problem('lab.unsupported', 'debootstrap is not installed', {
      next: 'apt-get install debootstrap',
    });
  }
  throw new Problem('lab.failed', 'The base image could not be built', {
    log: lastLines(`${stdout}\n${stderr}`, 20),
    next: 'check the network and the Debian mirror of this host, then run the command again',
  });
}

function reportStep(line: string, report: Report): void {
  const step = /^step: (.*)$/.exec(line)?.[1];
  if (step !== undefined && step !== 'done') report(`base: ${step}`);
}
