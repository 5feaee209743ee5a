/** The nspawn driver with real machines: the contract of all drivers, and what only real machines can show. */
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureBaseImage } from '../../lab/image/base.js';
import { assembleToolsLayer } from '../../lab/image/tools-layer.js';
import { cgroupDirs } from '../../lab/machines/cgroups.js';
import { destroyAll } from '../../lab/machines/destroy-all.js';
import { describeDriver } from '../../lab/machines/driver.contract.js';
import type { MachineDriver, MachineSpec } from '../../lab/machines/driver.js';
import { labNetwork } from '../../lab/machines/network.js';
import { createNspawnDriver } from '../../lab/machines/nspawn-driver.js';
import { preflight } from '../../lab/machines/preflight.js';
import { stateDir } from '../../lab/machines/state-dir.js';
import { must, run } from '../../lab/run.js';
import { until } from '../../lab/wait.js';

// Beside a lab that may be up: a folder and a network of its own.
const dir = '/var/lib/nix-infra-lab-test';
const network = labNetwork('10.78.0.0/24');
const report = (line: string) => console.log(line);

let driver: MachineDriver;
let keys: string;
let userData: string;

async function open(): Promise<MachineDriver> {
  await preflight(report, dir);
  await destroyAll(dir);
  const base = await ensureBaseImage(report);
  const nixos = await assembleToolsLayer(report, { binaries: {} });
  return createNspawnDriver({ images: { nixos: [nixos, base] }, dir, network });
}

function spec(id: string): MachineSpec {
  return {
    id,
    hostname: `node-${id}`,
    ipv4: `10.78.0.${Number(id.replace(/\D/g, '')) + 10}`,
    userData: null,
    authorizedKeys: [],
    image: 'nixos',
  };
}

describeDriver('nspawn', async () => {
  const made = await open();
  return { driver: made, spec, dispose: () => destroyAll(dir).then(() => undefined) };
});

describe('real machines', () => {
  const ids = ['m1', 'm2', 'm3'];

  beforeAll(async () => {
    driver = await open();
    keys = await mkdtemp(join(tmpdir(), 'nix-infra-keys-'));
    for (const name of ['login', 'host', 'other']) {
      await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(keys, name)]);
    }
    const [ed25519_private, ed25519_public] = await Promise.all(['host', 'host.pub'].map(read));
    userData = `#cloud-config\n${JSON.stringify({ ssh_deletekeys: true, ssh_keys: { ed25519_private, ed25519_public } })}`;
    const login = await read('login.pub');
    await Promise.all(
      ids.map(async (id) => {
        await driver.create({ ...spec(id), userData, authorizedKeys: [login] });
        await driver.start(id);
      }),
    );
  });

  afterAll(async () => {
    await destroyAll(dir);
    await rm(keys, { recursive: true });
  });

  it('take a login over SSH with the injected host key, and systemd is well', async () => {
    for (const id of ids) {
      expect((await login(id, 'hostname')).stdout).toBe(`node-${id}\n`);
      const system = await until(async () => {
        const { stdout } = await driver.exec(id, ['systemctl', 'is-system-running']);
        return /running|degraded/.test(stdout) ? stdout : undefined;
      }, 20_000);
      const { stdout: failed } = await driver.exec(id, ['systemctl', '--failed', '--no-legend', '--plain']);
      expect({ system, failed }).toEqual({ system: 'running\n', failed: '' });
    }
  });

  it('refuse nobody but a client with another key in known_hosts', async () => {
    const refused = await ssh('m1', 'hostname', 'other');
    expect(refused.code).toBe(255);
    expect(refused.stderr).toMatch(/REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed/);
  });

  it('keep their disk over a power cut, and boot anew', async () => {
    const before = await login('m1', 'cat /proc/sys/kernel/random/boot_id; echo kept > /root/kept; sync');
    await driver.powerOff('m1');
    expect(await driver.state('m1')).toBe('off');
    await driver.start('m1');
    const after = await login('m1', 'cat /proc/sys/kernel/random/boot_id; cat /root/kept');
    expect(after.stdout).toMatch(/kept/);
    expect(after.stdout.split('\n')[0]).not.toBe(before.stdout.split('\n')[0]);
  });

  it('come back from a reboot that was asked for inside', async () => {
    const boot = async () => (await driver.exec('m2', ['cat', '/proc/sys/kernel/random/boot_id'])).stdout;
    const before = await boot();
    await inside('m2', ['systemctl', 'reboot']);
    const after = await until(async () => {
      const now = await boot().catch(() => '');
      return now !== '' && now !== before ? now : undefined;
    }, 20_000);
    expect(after).toBeDefined();
  });

  it('are not held up in a reboot by a command that runs inside', async () => {
    const running = driver.exec('m2', ['sleep', '300']);
    const started = performance.now();
    await inside('m2', ['systemctl', 'reboot']);
    expect((await running).code).not.toBe(0);
    expect(performance.now() - started).toBeLessThan(30_000);
    expect(
      await until(
        () =>
          driver.exec('m2', ['true']).then(
            (ran) => ran.code === 0,
            () => false,
          ),
        20_000,
      ),
    ).toBe(true);
  });

  it('are off after a poweroff from inside', async () => {
    await inside('m2', ['systemctl', 'poweroff']);
    expect(await until(async () => (await driver.state('m2')) === 'off', 20_000)).toBe(true);
    await driver.start('m2');
  });

  it('leave their peers in silence at a power cut: no FIN, no RST', async () => {
    await inside('m2', ['systemd-run', '-q', 'socat', 'TCP-LISTEN:7000,fork', 'EXEC:cat']);
    const connect = [
      'sh',
      '-c',
      '(echo hi; exec sleep 300) | exec socat -d -d - TCP:10.78.0.12:7000,connect-timeout=1',
    ];
    const connected = await until(async () => {
      await driver.exec('m3', ['systemd-run', '-q', ...connect]);
      return (await established()) ? true : undefined;
    }, 15_000);
    expect(connected).toBe(true);
    await driver.powerOff('m2');
    expect(await established()).toBe(true);
    await driver.start('m2');
  });

  it('hear nothing while their cable is out, also after a restart', async () => {
    const ping = async () => (await driver.exec('m1', ['ping', '-c', '1', '-W', '1', '10.78.0.13'])).code;
    expect(await ping()).toBe(0);
    await driver.link('m3', false);
    expect(await ping()).not.toBe(0);
    await driver.reboot('m3');
    expect(await ping()).not.toBe(0);
    await driver.link('m3', true);
    expect(await until(async () => (await ping()) === 0, 10_000)).toBe(true);
  });

  it('are cut from some and not from others: silently, both ways, also after a restart, until they are healed', async () => {
    await inside('m1', ['systemd-run', '-q', 'socat', 'TCP-LISTEN:7001,fork', 'EXEC:cat']);
    const ping = async (from: string, to: string) =>
      (await driver.exec(from, ['ping', '-c', '1', '-W', '1', spec(to).ipv4])).code === 0;
    const seen = async () => ({
      m1m2: await ping('m1', 'm2'),
      m2m1: await ping('m2', 'm1'),
      m1m3: await ping('m1', 'm3'),
      m3m2: await ping('m3', 'm2'),
    });
    await driver.partition('m1', ['m2']);
    const partitioned = { m1m2: false, m2m1: false, m1m3: true, m3m2: true };
    expect(await seen()).toEqual(partitioned);
    // A refusal or a RST would end it at once, with another code; `timeout` ends it with 124.
    const connect = ['timeout', '2', 'socat', '-u', `TCP:${spec('m1').ipv4}:7001`, '-'];
    expect((await driver.exec('m2', connect)).code).toBe(124);
    await driver.reboot('m1');
    expect(await until(async () => ping('m1', 'm3'), 10_000)).toBe(true);
    expect(await seen()).toEqual(partitioned);
    await driver.rejoin('m2');
    expect(await seen()).toEqual({ m1m2: true, m2m1: true, m1m3: true, m3m2: true });
  });

  it('are operated by a process that did not make them', async () => {
    const other = createNspawnDriver({ images: {}, dir, network });
    expect(await other.state('m1')).toBe('running');
    expect((await other.exec('m1', ['hostname'])).stdout).toBe('node-m1\n');
  });

  it('build with Nix, offline', async () => {
    const expression = `derivation { name = "x"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo made > $out" ]; }`;
    const built = await driver.exec('m1', ['nix-build', '--no-out-link', '-E', expression]);
    expect(built.stderr).not.toMatch(/error/);
    expect((await driver.exec('m1', ['cat', built.stdout.trim()])).stdout).toBe('made\n');
  });

  it('activate the current system at boot and start what it brought', async () => {
    const script = [
      'mkdir -p /tmp/p && cd /tmp/p',
      "printf '#!/bin/sh\\nln -sfn /nix/var/nix/profiles/system /run/current-system\\n",
      'ln -sf /root/brought.service /etc/systemd/system/brought.service\\n',
      'mkdir -p /etc/systemd/system/multi-user.target.wants\\n',
      "ln -sf ../brought.service /etc/systemd/system/multi-user.target.wants/\\n' > activate",
      'chmod +x activate',
      "printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\n' > /root/brought.service",
      'nix-env -p /nix/var/nix/profiles/system --set "$(nix-store --add /tmp/p)"',
    ].join('; ');
    expect(await driver.exec('m1', ['sh', '-c', script.replaceAll('\\n; ', '\\n')])).toMatchObject({
      code: 0,
    });
    await driver.reboot('m1');
    const active = await until(async () => {
      const { code } = await driver.exec('m1', ['systemctl', 'is-active', 'brought.service']);
      return code === 0;
    }, 20_000);
    expect(active).toBe(true);
    expect((await driver.exec('m1', ['readlink', '/run/current-system'])).stdout).toMatch(/profiles\/system/);
  });

  it('leave nothing behind', async () => {
    const { root, tag } = stateDir(dir);
    await destroyAll(dir);
    await expect(access(root)).rejects.toThrow(/ENOENT/);
    expect((await run(['ip', 'link', 'show', tag])).code).not.toBe(0);
    for (const path of cgroupDirs(tag, '')) await expect(access(path)).rejects.toThrow(/ENOENT/);
    expect(await mentioning(root)).toEqual([]);
  });

  /** Command lines of processes that name the folder. */
  async function mentioning(text: string): Promise<string[]> {
    const { stdout } = await run(['ps', '-eo', 'args']);
    return stdout.split('\n').filter((line) => line.includes(text) && !line.startsWith('ps '));
  }

  async function established(): Promise<boolean> {
    const { stdout } = await driver.exec('m3', [
      'ss',
      '-Htn',
      'state',
      'established',
      'dst',
      '10.78.0.12:7000',
    ]);
    return stdout.trim() !== '';
  }

  /** Runs what needs systemd's bus, which is not there in the first moments after a start. */
  async function inside(id: string, argv: readonly string[]): Promise<void> {
    const done = await until(async () => (await driver.exec(id, argv)).code === 0, 20_000);
    expect(done, argv.join(' ')).toBe(true);
  }

  async function login(id: string, command: string) {
    const result = await until(async () => {
      const tried = await ssh(id, command, 'host');
      return tried.code === 255 ? undefined : tried;
    }, 20_000);
    if (!result) throw new Error(`no SSH login on ${id}`);
    return result;
  }

  async function ssh(id: string, command: string, hostKey: string) {
    const known = join(keys, `known-${hostKey}`);
    await writeFile(known, `${spec(id).ipv4} ${await read(`${hostKey}.pub`)}`);
    const options = [
      'StrictHostKeyChecking=yes',
      `UserKnownHostsFile=${known}`,
      'BatchMode=yes',
      'ConnectTimeout=2',
    ];
    return run([
      'ssh',
      '-i',
      join(keys, 'login'),
      ...options.flatMap((o) => ['-o', o]),
      `root@${spec(id).ipv4}`,
      command,
    ]);
  }

  function read(name: string): Promise<string> {
    return readFile(join(keys, name), 'utf8');
  }
});
