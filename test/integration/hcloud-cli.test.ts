/** Hetzner's own client, as Debian packages it, against the lab's API. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Harness, otherToken, readToken, until } from '../../lab/api/testing/harness.js';

interface Ran {
  code: number;
  out: string;
  err: string;
}

let lab: Harness;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hcloud-cli-'));
  await writeFile(join(folder, 'cli.toml'), '');
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'me', '-f', join(folder, 'id')]);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  lab = await Harness.start();
  return () => lab.stop();
});

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    execFile(
      program,
      args,
      { env: { PATH: process.env.PATH, ...env }, timeout: 30_000 },
      (error, stdout, stderr) => {
        if (error && typeof error.code !== 'number') reject(error);
        else resolve({ code: Number(error?.code ?? 0), out: stdout, err: stderr });
      },
    );
  });
}

function hcloud(args: string | readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return run('hcloud', typeof args === 'string' ? args.split(' ') : args, {
    HCLOUD_ENDPOINT: lab.api.url,
    HCLOUD_TOKEN: lab.api.token,
    HCLOUD_CONFIG: join(folder, 'cli.toml'),
    ...env,
  });
}

/** Runs and expects success; returns what was printed. */
async function ok(args: string | readonly string[]): Promise<string> {
  const ran = await hcloud(args);
  expect(ran, String(args)).toMatchObject({ code: 0, err: '' });
  return ran.out;
}

const minimal = 'server create --type cx23 --image debian-13 --name';

describe('access', () => {
  it('prints what is wrong with a token', async () => {
    expect(await hcloud('server list', { HCLOUD_TOKEN: 'x'.repeat(64) })).toMatchObject({
      code: 1,
      err: 'hcloud: unable to authenticate (unauthorized)\n',
    });
    const env = { HCLOUD_TOKEN: readToken };
    expect(await hcloud('placement-group create --name a --type spread', env)).toMatchObject({ code: 1 });
    expect((await hcloud('placement-group create --name a --type spread', env)).err).toContain(
      '(token_readonly)',
    );
    expect(await hcloud('server list', env)).toMatchObject({ code: 0 });
  });

  it('works with a slash at the end of the endpoint, and in another project of a context', async () => {
    expect(await hcloud('server list', { HCLOUD_ENDPOINT: `${lab.api.url}/` })).toMatchObject({ code: 0 });
    await ok(`${minimal} s1`);
    const config = join(folder, 'contexts.toml');
    await writeFile(
      config,
      `active_context = "main"\n[[contexts]]\nname = "main"\ntoken = "${lab.api.token}"\n` +
        `[[contexts]]\nname = "other"\ntoken = "${otherToken}"\n`,
    );
    const env = { HCLOUD_CONFIG: config, HCLOUD_TOKEN: undefined };
    expect((await hcloud('server list -o noheader -o columns=name', env)).out).toContain('s1');
    const other = await hcloud('server list -o noheader', { ...env, HCLOUD_CONTEXT: 'other' });
    expect(other).toMatchObject({ code: 0, out: '' });
  });

  it('says which server is not there', async () => {
    expect((await hcloud('server describe 999999')).err).toContain('server not found: 999999');
    expect((await hcloud('server describe nosuch')).err).toContain('server not found: nosuch');
  });
});

describe('ssh-key', () => {
  it('create, list, describe, label, update, delete', async () => {
    const key = join(folder, 'id.pub');
    await ok(['ssh-key', 'create', '--name', 'k1', '--public-key-from-file', key]);
    const printed = await run('ssh-keygen', ['-E', 'md5', '-lf', key]);
    const fingerprint = /MD5:(\S+)/.exec(printed.out)?.[1] ?? 'none';
    expect(await ok('ssh-key list')).toContain(fingerprint);
    expect(await ok('ssh-key describe k1')).toContain(fingerprint);
    const again = await hcloud(['ssh-key', 'create', '--name', 'k2', '--public-key-from-file', key]);
    expect(again).toMatchObject({ code: 1 });
    expect(again.err).toContain('SSH key with the same fingerprint already exists (uniqueness_error)');
    await ok('ssh-key add-label k1 a=b');
    expect(await ok('ssh-key list -l a=b -o noheader')).toContain('k1');
    await ok('ssh-key remove-label k1 a');
    expect(await ok('ssh-key list -l a=b -o noheader')).toBe('');
    await ok('ssh-key update k1 --name k9');
    await ok('ssh-key delete k9');
    expect(await ok('ssh-key list -o noheader')).toBe('');
  });
});

describe('placement-group', () => {
  it('create, list, label, delete', async () => {
    await ok('placement-group create --name pg1 --type spread');
    await ok('placement-group add-label pg1 a=b');
    expect(await ok('placement-group list -l a=b -o noheader')).toContain('pg1');
    expect(await ok('placement-group describe pg1')).toContain('spread');
    await ok('placement-group delete pg1');
    expect(await ok('placement-group list -o noheader')).toBe('');
  });

  it('pages through 53', async () => {
    for (let n = 1; n <= 53; n += 1) {
      await lab.call('POST', '/placement_groups', { name: `g${n}`, type: 'spread' });
    }
    const rows = (await ok('placement-group list -o noheader -o columns=name')).trim().split('\n');
    expect(rows.map((row) => row.trim())).toEqual(Array.from({ length: 53 }, (_, n) => `g${n + 1}`));
  });
});

describe('server', () => {
  it('create with everything, list, describe, ip, delete', async () => {
    await ok(['ssh-key', 'create', '--name', 'k1', '--public-key-from-file', join(folder, 'id.pub')]);
    await ok('placement-group create --name pg1 --type spread');
    const userData = join(folder, 'user-data');
    await writeFile(userData, '#cloud-config\nhostname: s1\n');
    const out = await ok([
      ...`${minimal} s1 --location nbg1 --ssh-key k1 --placement-group pg1 --label env=lab`.split(' '),
      '--user-data-from-file',
      userData,
    ]);
    expect(out).toContain('IPv4: 10.77.0.11');
    expect(out).not.toContain('Root password');
    const [machine] = lab.driver.machines();
    expect(machine).toMatchObject({ state: 'running', spec: { hostname: 's1', ipv4: '10.77.0.11' } });
    expect(machine?.spec.userData).toBe(await readFile(userData, 'utf8'));
    expect(machine?.spec.authorizedKeys).toEqual([(await readFile(join(folder, 'id.pub'), 'utf8')).trim()]);

    const list = await ok('server list');
    expect(list).toMatch(/s1\s+running\s+10\.77\.0\.11\s+2001:db8:0:b::\/64\s+-\s+nbg1-dc3/);
    const description = await ok('server describe s1');
    for (const part of ['Name:\t\ts1', 'Status:\trunning', 'cx23', 'debian-13', 'pg1', 'env: lab']) {
      expect(description.replaceAll(/[ \t]+/g, ' ')).toContain(part.replaceAll(/[ \t]+/g, ' '));
    }
    expect(JSON.parse(await ok('server describe s1 -o json'))).toMatchObject({ primary_disk_size: 40 });
    expect(await ok('server ip s1')).toBe('10.77.0.11\n');
    expect(await ok('server ip -6 s1')).toBe('2001:db8:0:b::1\n');
    await ok('server delete s1');
    await until(async () => (await ok('server list -o noheader')) === '');
    expect(lab.driver.machines()).toEqual([]);
  });

  it('takes ids as numbers, a key by its file, and prints a password without a key', async () => {
    await ok(['ssh-key', 'create', '--name', 'k1', '--public-key-from-file', join(folder, 'id.pub')]);
    await ok([
      ...'server create --name s1 --type 114 --image 320 --location 2 --ssh-key'.split(' '),
      join(folder, 'id.pub'),
    ]);
    expect(lab.driver.machines()[0]?.spec).toMatchObject({ image: 'nixos' });
    expect(await ok(`${minimal} s2 --start-after-create=false`)).toContain('Root password');
    expect(await ok('server list -o noheader -o columns=name,status')).toMatch(/s1\s+running\s+s2\s+off/);
  });

  it('reboot, poweroff, poweron, shutdown, reset', async () => {
    await ok(`${minimal} s1`);
    const steps = [
      ['reboot', 'running'],
      ['poweroff', 'off'],
      ['poweron', 'running'],
      ['reset', 'running'],
      ['shutdown', 'off'],
    ] as const;
    for (const [verb, status] of steps) {
      await ok(`server ${verb} s1`);
      expect(await ok('server list -o noheader -o columns=status')).toContain(status);
    }
    const { calls } = lab.driver;
    expect(calls.map((call) => call.split(' ')[0])).toEqual([
      'create',
      'start',
      'reboot',
      'powerOff',
      'start',
      'powerOff',
      'start',
      'shutdown',
    ]);
  });

  it('rebuild, create-image and protection', async () => {
    await ok(`${minimal} s1`);
    await ok('server rebuild s1 --image ubuntu-24.04');
    await ok('server create-image s1 --type snapshot --description base --label a=b');
    expect(await ok('image list --type snapshot -l a=b -o noheader')).toContain('base');
    await ok('server enable-protection s1 delete rebuild');
    expect((await hcloud('server delete s1')).err).toContain('(protected)');
    await ok('server disable-protection s1 delete rebuild');
    await ok('server delete s1');
  });

  it('label selectors and sorting', async () => {
    for (const [name, label] of [
      ['web', 'env=prod'],
      ['db', 'env=dev'],
      ['old', 'x=y'],
    ]) {
      await ok(`${minimal} ${name} --start-after-create=false --label ${label}`);
    }
    const names = async (selector: string) =>
      (await ok(['server', 'list', '-o', 'noheader', '-o', 'columns=name', '-l', selector]))
        .split(/\s+/)
        .filter(Boolean);
    expect(await names('env=prod')).toEqual(['web']);
    expect(await names('env==dev')).toEqual(['db']);
    expect(await names('env!=prod')).toEqual(['db', 'old']);
    expect(await names('env')).toEqual(['web', 'db']);
    expect(await names('!env')).toEqual(['old']);
    expect(await names('env in (prod,dev)')).toEqual(['web', 'db']);
    expect(await names('env notin (prod)')).toEqual(['db', 'old']);
    expect(await names('env=prod,!x')).toEqual(['web']);
    const sorted = await ok('server list -s name:asc -o noheader -o columns=name');
    expect(sorted.split(/\s+/).filter(Boolean)).toEqual(['db', 'old', 'web']);
    await ok('server add-label web tier=1');
    expect(await names('tier=1,env=prod')).toEqual(['web']);
  });

  it('prints refusals with their code and makes nothing', async () => {
    await ok(`${minimal} s1`);
    const cases = [
      [`${minimal} s1`, 'server name is already used (uniqueness_error)'],
      [
        'server create --name s2 --type cpx11 --location fsn1 --image debian-13',
        'unsupported location for server type',
      ],
      ['server create --name s2 --type cx999 --image debian-13', 'server_type'],
    ] as const;
    for (const [args, message] of cases) {
      const ran = await hcloud(args);
      expect(ran.code).toBe(1);
      expect(ran.err).toContain(message);
    }
    expect(lab.driver.machines()).toHaveLength(1);
  });

  it('reports an action that fails', async () => {
    await lab.call('POST', '/_lab/faults', { kind: 'fail-action', server: 's1', command: 'create_server' });
    const create = await hcloud(`${minimal} s1`);
    expect(create.code).toBe(1);
    expect(create.err).toContain('Action failed (action_failed)');
    await lab.call('POST', '/_lab/faults', { kind: 'fail-action', server: 's2', command: 'start_server' });
    const start = await hcloud(`${minimal} s2`);
    expect(start.code).toBe(1);
    expect(start.err).toContain('action_failed');
  });

  it('gets over three conflicts and reports a broken gateway', async () => {
    await ok(`${minimal} s1`);
    await lab.call('POST', '/_lab/faults', {
      method: 'POST',
      path: '/v1/servers/*/actions/reboot',
      status: 409,
      code: 'conflict',
      count: 3,
    });
    await ok('server reboot s1');
    await lab.call('POST', '/_lab/faults', { path: '/v1/servers', status: 502 });
    expect((await hcloud('server list')).err).toContain('server responded with status code 502');
    await lab.call('POST', '/_lab/faults', {
      path: '/v1/servers',
      status: 503,
      code: 'unavailable',
      message: 'busy',
    });
    expect((await hcloud('server list')).err).toContain('busy (unavailable)');
  });
});

describe('catalogue', () => {
  it.each([
    'server-type list',
    'server-type describe cx23',
    'location list',
    'location describe fsn1',
    'image list',
    'image describe debian-13',
    'iso list',
    'load-balancer-type list',
    'datacenter list',
    'datacenter describe fsn1-dc14',
    'network list',
    'firewall list',
    'volume list',
    'floating-ip list',
    'primary-ip list',
    'load-balancer list',
    'certificate list',
    'server-type list -o json',
    'image list -o json',
    'location describe fsn1 -o json',
  ])('%s', async (args) => {
    expect((await ok(args)).length).toBeGreaterThan(0);
  });

  it('datacenter list is gone in the strict profile; server list is not', async () => {
    await lab.stop();
    lab = await Harness.start({ profile: 'strict-2026-10' });
    expect((await hcloud('datacenter list')).err).toContain('(deprecated_api_endpoint)');
    await ok(`${minimal} s1`);
    expect(await ok('server list')).toMatch(/s1\s+running/);
  });
});
