import { readFile, stat, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Harness, otherToken, readToken, tokenOf, until } from './testing/harness.js';

let lab: Harness;
beforeEach(async () => {
  lab = await Harness.start();
});
afterEach(async () => {
  await lab.stop();
});

const keyText = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me';

function idIn(reply: { body: object }, key: string): number {
  return (reply.body as Record<string, { id: number }>)[key]?.id ?? -1;
}

describe('access', () => {
  it('refuses a missing or unknown token', async () => {
    const reply = await lab.call('GET', '/servers', undefined, tokenOf('x'));
    expect(reply.status).toBe(401);
    expect(reply.body.error).toEqual({
      code: 'unauthorized',
      message: 'unable to authenticate',
      details: null,
    });
    expect((await fetch(`${lab.api.url}/servers`)).status).toBe(401);
    expect((await lab.call('POST', '/_lab/faults', {}, tokenOf('x'))).status).toBe(401);
  });

  it('lets a read token read and nothing else', async () => {
    expect((await lab.call('GET', '/servers', undefined, readToken)).status).toBe(200);
    const reply = await lab.call('POST', '/placement_groups', { name: 'a', type: 'spread' }, readToken);
    expect([reply.status, reply.body.error?.code]).toEqual([401, 'token_readonly']);
  });

  it('keeps projects apart, names included', async () => {
    const id = await lab.server('s1');
    expect((await lab.call('GET', `/servers/${id}`, undefined, otherToken)).status).toBe(404);
    expect((await lab.call('DELETE', `/servers/${id}`, undefined, otherToken)).status).toBe(404);
    const same = { name: 's1', server_type: 'cx23', image: 'debian-13' };
    expect((await lab.call('POST', '/servers', same, otherToken)).status).toBe(201);
  });

  it('mints a token of 64 letters and digits', () => {
    expect(lab.api.token).toMatch(/^[A-Za-z0-9]{64}$/);
  });
});

describe('transport', () => {
  it('sends limits, a correlation id and JSON', async () => {
    const { headers } = await lab.call('GET', '/servers');
    expect(headers.get('ratelimit-limit')).toBe('3600');
    expect(Number(headers.get('ratelimit-remaining'))).toBeGreaterThan(3000);
    expect(Number(headers.get('ratelimit-reset'))).toBeGreaterThanOrEqual(Math.floor(Date.now() / 1000));
    expect(headers.get('x-correlation-id')).toMatch(/^[0-9a-f]+$/);
  });

  it.each([
    ['POST', '/servers', '{', 400, 'json_error'],
    ['POST', '/servers', '[]', 400, 'json_error'],
    ['PATCH', '/servers', undefined, 405, 'method_not_allowed'],
    ['GET', '/nothing', undefined, 404, 'not_found'],
    ['GET', '/servers/999999', undefined, 404, 'not_found'],
    ['GET', '/servers/abc', undefined, 404, 'not_found'],
    ['GET', '/actions', undefined, 410, 'deprecated_api_endpoint'],
    ['GET', '/servers?page=0', undefined, 422, 'invalid_input'],
    ['GET', '/servers?label_selector=a%3D%3D%3Db', undefined, 422, 'invalid_input'],
    ['GET', '/servers?sort=colour', undefined, 422, 'invalid_input'],
    ['POST', '/networks', '{}', 422, 'unsupported_error'],
  ])('%s %s %s answers %i %s', async (method, path, body, status, code) => {
    const reply = await lab.call(method, path, body);
    expect([reply.status, reply.body.error?.code]).toEqual([status, code]);
  });

  it('refuses calls beyond the budget and gives one back per second', async () => {
    await lab.stop();
    lab = await Harness.start({ rateLimit: { limit: 5, refillPerSecond: 20 } });
    const burst = await Promise.all(Array.from({ length: 12 }, () => lab.call('GET', '/locations')));
    const refused = burst.filter((reply) => reply.status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.body.error?.message).toBe('limit of 5 requests per hour reached');
    await until(async () => (await lab.call('GET', '/locations')).status === 200);
  });
});

describe('lists', () => {
  beforeEach(async () => {
    for (let n = 1; n <= 53; n += 1) {
      await lab.call('POST', '/placement_groups', {
        name: `g${n}`,
        type: 'spread',
        labels: { n: String(n), even: n % 2 ? 'no' : 'yes' },
      });
    }
  });

  it('cuts pages at 50, ends with null and links', async () => {
    const first = await lab.call('GET', '/placement_groups?per_page=51');
    expect((first.body.placement_groups as unknown as unknown[]).length).toBe(50);
    expect(first.body.meta).toMatchObject({ pagination: { next_page: 2, last_page: 2, total_entries: 53 } });
    expect(first.headers.get('link')).toMatch(/page=2[^>]*>; rel="next", <[^>]+>; rel="last"/);
    const last = await lab.call('GET', '/placement_groups?per_page=50&page=2');
    expect(last.body.meta).toMatchObject({ pagination: { previous_page: 1, next_page: null } });
  });

  it('sorts by several fields and filters by name and label', async () => {
    const byName = await lab.call('GET', '/placement_groups?sort=name:desc&per_page=1');
    expect(byName.body.placement_groups).toMatchObject([{ name: 'g9' }]);
    const one = await lab.call('GET', '/placement_groups?name=g7');
    expect(one.body.placement_groups).toMatchObject([{ name: 'g7' }]);
    const even = await lab.call('GET', '/placement_groups?label_selector=even%3Dyes,n+notin+(2,4)');
    expect(even.body.meta).toMatchObject({ pagination: { total_entries: 24 } });
  });
});

describe('ssh keys', () => {
  it('are unique by name and fingerprint', async () => {
    const made = await lab.call('POST', '/ssh_keys', { name: 'k1', public_key: `${keyText}\n` });
    expect(made.status).toBe(201);
    const sameKey = await lab.call('POST', '/ssh_keys', { name: 'k2', public_key: keyText });
    expect(sameKey.body.error).toMatchObject({
      code: 'uniqueness_error',
      message: 'SSH key with the same fingerprint already exists',
    });
    const nonsense = await lab.call('POST', '/ssh_keys', { name: 'k3', public_key: 'ssh-ed25519 AAAA' });
    expect(nonsense.body.error?.details).toMatchObject({ fields: [{ name: 'public_key' }] });
    const id = idIn(made, 'ssh_key');
    const renamed = await lab.call('PUT', `/ssh_keys/${id}`, { name: 'k9', labels: { a: 'b' } });
    expect(renamed.body.ssh_key).toMatchObject({ name: 'k9', labels: { a: 'b' } });
    expect((await lab.call('DELETE', `/ssh_keys/${id}`)).status).toBe(204);
  });

  it.each([{ 'bad key!': 'x' }, { a: '-x' }, { 'hetzner.cloud/a': 'b' }])(
    'refuses labels %o',
    async (labels) => {
      const reply = await lab.call('POST', '/ssh_keys', { name: 'k', public_key: keyText, labels });
      expect([reply.status, reply.body.error?.code]).toEqual([422, 'invalid_input']);
    },
  );
});

describe('servers', () => {
  it('answers at once and boots in the background', async () => {
    const release = lab.driver.hold('create');
    await lab.call('POST', '/ssh_keys', { name: 'k1', public_key: keyText });
    const made = await lab.call('POST', '/servers', {
      name: 's1',
      server_type: '114',
      image: 320,
      location: '2',
      ssh_keys: ['k1'],
      user_data: '#cloud-config\n',
      'placement-group': 7,
      foo: true,
    });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      server: { status: 'initializing', locked: true, public_net: { ipv4: { ip: '10.77.0.11' } } },
      action: { command: 'create_server', status: 'running', progress: 0 },
      next_actions: [{ command: 'start_server', status: 'running' }],
      root_password: null,
    });
    const id = idIn(made, 'server');
    const busy = await lab.call('DELETE', `/servers/${id}`);
    expect(busy.body.error).toMatchObject({
      code: 'locked',
      message: 'cannot perform operation because server is locked',
    });
    release();
    await lab.idle(id);
    expect(await lab.status(id)).toBe('running');
    expect(lab.driver.machine(`s${id}`)?.spec).toEqual({
      id: `s${id}`,
      hostname: 's1',
      ipv4: '10.77.0.11',
      userData: '#cloud-config\n',
      authorizedKeys: [keyText],
      image: 'nixos',
    });
  });

  it('is polled by several ids, unknown ones left out', async () => {
    const id = await lab.server('s1');
    const all = await lab.call('GET', `/servers/${id}/actions?sort=id`);
    const [create, start] = all.body.actions as unknown as { id: number }[];
    const polled = await lab.call(
      'GET',
      `/actions?id=${create?.id}&id=${start?.id}&id=1&sort=status&sort=id`,
    );
    expect(polled.body.actions).toMatchObject([
      { command: 'create_server', status: 'success', progress: 100 },
      { command: 'start_server', status: 'success', progress: 100 },
    ]);
    for (const path of [
      `/actions/${start?.id}`,
      `/servers/${id}/actions/${start?.id}`,
      `/servers/actions/${start?.id}`,
    ]) {
      expect((await lab.call('GET', path)).body.action).toMatchObject({ id: start?.id });
    }
  });

  it.each([
    [{ name: 's1' }, 409, 'server name is already used'],
    [{ name: 'bad_name' }, 422, "invalid input in field 'name'"],
    [{ server_type: 'cx999' }, 422, "invalid input in field 'server_type'"],
    [{ image: 'beos' }, 422, "invalid input in field 'image'"],
    [{ server_type: 'cax11' }, 422, "invalid input in field 'image'"],
    [{ location: 'mars1' }, 422, "invalid input in field 'location'"],
    [{ server_type: 'cpx11', location: 'fsn1' }, 422, 'unsupported location for server type'],
    [{ user_data: 'x'.repeat(32_769) }, 422, "invalid input in field 'user_data'"],
    [{ ssh_keys: ['nobody'] }, 404, "SSH key with ID 'nobody' not found"],
    [{ placement_group: 5 }, 404, "placement group with ID '5' not found"],
    [{ networks: [3] }, 404, "network with ID '3' not found"],
  ])('refuses %o with %i', async (change, status, message) => {
    await lab.server('s1');
    const wanted = { name: 's2', server_type: 'cx23', image: 'debian-13', ...change };
    const reply = await lab.call('POST', '/servers', wanted);
    expect([reply.status, reply.body.error?.message]).toEqual([status, message]);
    const list = await lab.call('GET', '/servers');
    expect(list.body.meta).toMatchObject({ pagination: { total_entries: 1 } });
  });

  it('takes user data of exactly 32768 bytes', async () => {
    await lab.server('s1', { user_data: 'x'.repeat(32_768) });
  });

  it('stops at the quota', async () => {
    await lab.stop();
    lab = await Harness.start({ serverLimit: 1 });
    await lab.server('s1');
    const reply = await lab.call('POST', '/servers', { name: 's2', server_type: 'cx23', image: 'debian-13' });
    expect(reply.status).toBe(403);
    expect(reply.body.error).toEqual({
      code: 'resource_limit_exceeded',
      message: 'server limit exceeded',
      details: { limits: [{ name: 'server_limit' }] },
    });
  });

  it('fills a placement group to ten, also when two ask at once', async () => {
    const group = idIn(
      await lab.call('POST', '/placement_groups', { name: 'g', type: 'spread' }),
      'placement_group',
    );
    for (let n = 0; n < 9; n += 1) await lab.server(`s${n}`, { placement_group: group });
    const both = await Promise.all(
      ['a', 'b'].map((name) =>
        lab.call('POST', '/servers', {
          name,
          server_type: 'cx23',
          image: 'debian-13',
          placement_group: group,
        }),
      ),
    );
    expect(both.map((reply) => reply.status).sort()).toEqual([201, 422]);
    expect(both.find((reply) => reply.status === 422)?.body.error?.message).toBe(
      `placement group with ID ${group} contains already 10 servers`,
    );
    const used = await lab.call('DELETE', `/placement_groups/${group}`);
    expect(used.body.error?.code).toBe('resource_in_use');
  });

  it('can be left off', async () => {
    const id = await lab.server('s1', { start_after_create: false });
    expect(await lab.status(id)).toBe('off');
    expect(lab.driver.calls).toEqual([`create s${id}`]);
  });

  it.each([
    ['poweroff', 'powerOff', 'off'],
    ['shutdown', 'shutdown', 'off'],
    ['reboot', 'reboot', 'running'],
    ['reset', 'start', 'running'],
    ['poweron', 'start', 'running'],
  ])('%s', async (verb, call, status) => {
    const id = await lab.server('s1');
    const reply = await lab.call('POST', `/servers/${id}/actions/${verb}`);
    expect(reply.status).toBe(201);
    await lab.idle(id);
    expect(lab.driver.calls.at(-1)).toBe(`${call} s${id}`);
    expect(await lab.status(id)).toBe(status);
  });

  it('is rebuilt with the same address and user data', async () => {
    const id = await lab.server('s1', { user_data: 'u' });
    const reply = await lab.call('POST', `/servers/${id}/actions/rebuild`, { image: 320 });
    expect(reply.body.root_password).toBeTypeOf('string');
    await lab.idle(id);
    expect(lab.driver.machine(`s${id}`)).toMatchObject({
      spec: { image: 'nixos', ipv4: '10.77.0.11', userData: 'u' },
      state: 'running',
    });
  });

  it('becomes a snapshot that others start from', async () => {
    const id = await lab.server('s1');
    const reply = await lab.call('POST', `/servers/${id}/actions/create_image`, {
      description: 'd',
      labels: { a: 'b' },
    });
    expect(reply.body.image).toMatchObject({ status: 'creating', created_from: { id, name: 's1' } });
    await lab.idle(id);
    const found = await lab.call('GET', '/images?type=snapshot&label_selector=a%3Db');
    expect(found.body.images).toMatchObject([{ status: 'available', name: null }]);
    const image = idIn(reply, 'image');
    const second = await lab.server('s2', { image });
    expect(lab.driver.machine(`s${second}`)?.spec.image).toBe(`snap${image}`);
    expect((await lab.call('DELETE', `/images/${image}`)).status).toBe(204);
    expect((await lab.call('GET', `/servers/${second}`)).body.server).toMatchObject({ image: null });
    const own = await lab.call('DELETE', '/images/320');
    expect(own.body.error?.code).toBe('protected');
  });

  it('is protected until it is not', async () => {
    const id = await lab.server('s1');
    const protect = (on: boolean) =>
      lab.call('POST', `/servers/${id}/actions/change_protection`, { delete: on, rebuild: on });
    expect((await protect(true)).body.action).toMatchObject({ status: 'success' });
    expect((await lab.call('DELETE', `/servers/${id}`)).body.error?.code).toBe('protected');
    await protect(false);
    expect((await lab.call('DELETE', `/servers/${id}`)).status).toBe(200);
  });

  it('leaves its actions behind and frees its address', async () => {
    const id = await lab.server('s1');
    const action = idIn(await lab.call('DELETE', `/servers/${id}`), 'action');
    await lab.idle(id);
    expect((await lab.call('GET', `/actions?id=${action}`)).body.actions).toMatchObject([
      { status: 'success' },
    ]);
    expect(lab.driver.machines()).toEqual([]);
    expect((await lab.call('GET', '/primary_ips')).body.primary_ips).toEqual([]);
    const next = await lab.server('s2');
    expect(lab.driver.machine(`s${next}`)?.spec.ipv4).toBe('10.77.0.11');
  });

  it('shows that its guest went down or vanished', async () => {
    const id = await lab.server('s1');
    await lab.driver.shutdown(`s${id}`);
    await until(async () => (await lab.status(id)) === 'off');
    await lab.driver.destroy(`s${id}`);
    await until(async () => (await lab.status(id)) === 'unknown');
  });

  it('ends as an error when the driver fails, and what followed with it', async () => {
    lab.driver.failing.add('create');
    const made = await lab.call('POST', '/servers', { name: 's1', server_type: 'cx23', image: 'debian-13' });
    const id = idIn(made, 'server');
    await lab.idle(id);
    const actions = await lab.call('GET', `/servers/${id}/actions`);
    expect(actions.body.actions).toMatchObject([
      { status: 'error', error: { code: 'action_failed', message: 'Action failed' } },
      { status: 'error' },
    ]);
    expect(await lab.status(id)).toBe('unknown');
    expect((await lab.call('DELETE', `/servers/${id}`)).status).toBe(200);
  });
});

describe('faults', () => {
  const fault = (body: object) => lab.call('POST', '/_lab/faults', body);

  it('answers what was injected, so often', async () => {
    await fault({
      method: 'GET',
      path: '/v1/serv*',
      status: 503,
      code: 'unavailable',
      headers: { 'Retry-After': '1' },
      count: 2,
    });
    for (const status of [503, 503, 200]) expect((await lab.call('GET', '/servers')).status).toBe(status);
  });

  it('answers without JSON when no code is given', async () => {
    await fault({ path: '/v1/servers', status: 502 });
    const reply = await lab.call('GET', '/servers');
    expect([reply.status, reply.headers.get('content-type')]).toEqual([502, 'text/plain; charset=utf-8']);
  });

  it('carries the request out and loses the reply', async () => {
    await fault({ method: 'POST', path: '/v1/placement_groups', effect: 'lose-reply' });
    await expect(lab.call('POST', '/placement_groups', { name: 'g', type: 'spread' })).rejects.toThrow();
    const list = await lab.call('GET', '/placement_groups?name=g');
    expect(list.body.meta).toMatchObject({ pagination: { total_entries: 1 } });
  });

  it('touches only its own project', async () => {
    await fault({ path: '/v1/servers', status: 500 });
    expect((await lab.call('GET', '/servers', undefined, otherToken)).status).toBe(200);
  });

  it('no-boot: the cloud says running, the machine is dark; a reset after it works', async () => {
    await fault({ kind: 'no-boot', server: 's*' });
    const id = await lab.server('s1');
    expect(await lab.status(id)).toBe('running');
    expect(lab.driver.machine(`s${id}`)?.state).toBe('off');
    await lab.call('POST', `/servers/${id}/actions/reset`);
    await lab.idle(id);
    expect(lab.driver.machine(`s${id}`)?.state).toBe('running');
  });

  it('wrong-host-key: the injected key does not reach the machine', async () => {
    await fault({ kind: 'wrong-host-key', server: 's1' });
    const id = await lab.server('s1', {
      user_data: '#cloud-config\nssh_keys:\n  ed25519_private: secret\nruncmd: [ls]\n',
    });
    const seen = lab.driver.machine(`s${id}`)?.spec.userData ?? '';
    expect(seen).toMatch(/^#cloud-config\n/);
    expect(seen).toContain('runcmd');
    expect(seen).not.toContain('secret');
  });

  it('fail-action: the start ends as an error, once', async () => {
    await fault({ kind: 'fail-action', server: 's1', command: 'start_server' });
    const id = await lab.server('s1');
    expect(await lab.status(id)).toBe('off');
    await lab.call('POST', `/servers/${id}/actions/poweron`);
    await lab.idle(id);
    expect(await lab.status(id)).toBe('running');
  });

  it('are listed, removed one by one and cleared', async () => {
    const id = idIn(await fault({ path: '/v1/x' }), 'fault');
    await fault({ path: '/v1/y' });
    expect((await lab.call('DELETE', `/_lab/faults/${id}`)).status).toBe(204);
    expect((await lab.call('GET', '/_lab/faults')).body.faults).toMatchObject([{ path: '/v1/y' }]);
    expect((await lab.call('DELETE', '/_lab/faults')).status).toBe(204);
    expect((await lab.call('GET', '/_lab/faults')).body.faults).toEqual([]);
  });

  it.each([{ path: 'servers' }, { kind: 'fire' }, { kind: 'fail-action', server: 's1' }])(
    'refuses %o',
    async (bad) => {
      expect((await fault(bad)).status).toBe(422);
    },
  );
});

describe('lab verbs', () => {
  it('kill, start, cut and heal reach the driver', async () => {
    const id = await lab.server('s1');
    await lab.call('POST', '/_lab/servers/s1/kill');
    expect(await lab.status(id)).toBe('off');
    await lab.call('POST', '/_lab/servers/s1/start');
    expect(await lab.status(id)).toBe('running');
    await lab.call('POST', '/_lab/servers/s1/cut');
    expect(lab.driver.machine(`s${id}`)?.linked).toBe(false);
    await lab.call('POST', '/_lab/servers/s1/heal');
    expect(lab.driver.machine(`s${id}`)?.linked).toBe(true);
    expect((await lab.call('POST', '/_lab/servers/nobody/kill')).status).toBe(404);
  });

  it('cut takes servers that it is cut from, and heal ends that at either end', async () => {
    const [one, two] = [await lab.server('s1'), await lab.server('s2')];
    const cutFrom = (id: number) => [...(lab.driver.machine(`s${id}`)?.cutFrom ?? [])];
    await lab.call('POST', '/_lab/servers/s1/cut', { from: ['s2'] });
    expect({ one: cutFrom(one), two: cutFrom(two) }).toEqual({ one: [`s${two}`], two: [`s${one}`] });
    expect(lab.driver.machine(`s${one}`)?.linked).toBe(true);
    await lab.call('POST', '/_lab/servers/s2/heal');
    expect({ one: cutFrom(one), two: cutFrom(two) }).toEqual({ one: [], two: [] });
    expect((await lab.call('POST', '/_lab/servers/s1/cut', { from: ['nobody'] })).status).toBe(404);
    expect((await lab.call('POST', '/_lab/servers/s1/cut', { from: ['s1'] })).status).toBe(422);
    expect((await lab.call('POST', '/_lab/servers/s1/cut', { from: 's2' })).status).toBe(422);
  });

  it('state names machines and hides secrets', async () => {
    const id = await lab.server('s1', { user_data: 'hidden' });
    const reply = await lab.call('GET', '/_lab/state');
    expect(reply.body).toMatchObject({ servers: [{ name: 's1', machine: `s${id}`, ipv4: '10.77.0.11' }] });
    expect(JSON.stringify(reply.body)).not.toMatch(new RegExp(`hidden|${lab.api.token}`));
  });
});

describe('profiles', () => {
  it('compat has data centers, strict has not', async () => {
    const compat = await lab.call('GET', '/datacenters');
    expect(compat.body.recommendation).toBe(4);
    const id = await lab.server('s1');
    expect((await lab.call('GET', `/servers/${id}`)).body.server).toHaveProperty('datacenter');
    await lab.stop();
    lab = await Harness.start({ profile: 'strict-2026-10' });
    expect((await lab.call('GET', '/datacenters')).body.error?.code).toBe('deprecated_api_endpoint');
    const strict = await lab.server('s1', { datacenter: 'fsn1-dc14' });
    expect((await lab.call('GET', `/servers/${strict}`)).body.server).not.toHaveProperty('datacenter');
    const [address] = (await lab.call('GET', '/primary_ips')).body.primary_ips as unknown as object[];
    expect(address).not.toHaveProperty('datacenter');
  });
});

describe('fixed collections', () => {
  it.each([
    'server_types',
    'locations',
    'datacenters',
    'images',
    'isos',
    'networks',
    'firewalls',
    'volumes',
    'floating_ips',
    'primary_ips',
    'load_balancers',
    'load_balancer_types',
    'certificates',
    'servers/actions',
  ])('GET /%s keeps to the field lists', async (path) => {
    const reply = await lab.call('GET', `/${path}?per_page=50&sort=id%3Aasc`);
    expect(reply.status).toBe(200);
    expect(reply.body.meta).toBeDefined();
  });

  it.each(['server_types/114', 'locations/1', 'datacenters/4', 'images/310', 'pricing'])(
    'GET /%s keeps to the field lists',
    async (path) => {
      expect((await lab.call('GET', `/${path}`)).status).toBe(200);
    },
  );

  it('finds the NixOS snapshot by its labels', async () => {
    const reply = await lab.call('GET', '/images?type=snapshot&label_selector=os%3Dnixos');
    expect(reply.body.images).toMatchObject([{ id: 320, name: null, type: 'snapshot' }]);
  });
});

describe('restart', () => {
  it('keeps objects and the token, in a file for root alone', async () => {
    const token = lab.api.token;
    const first = await lab.server('s1');
    expect((await stat(lab.stateFile)).mode & 0o777).toBe(0o600);
    await lab.restart();
    expect(lab.api.token).toBe(token);
    expect(await lab.status(first)).toBe('running');
  });

  it('resumes a create that a killed process left behind; a reboot ends as an error', async () => {
    const id = await lab.server('s1');
    const release = [lab.driver.hold('create'), lab.driver.hold('reboot')];
    const made = await lab.call('POST', '/servers', { name: 's2', server_type: 'cx23', image: 'debian-13' });
    const reboot = idIn(await lab.call('POST', `/servers/${id}/actions/reboot`), 'action');
    // What a killed process leaves behind is its state file as it stands now.
    const left = await readFile(lab.stateFile, 'utf8');
    for (const open of release) open();
    await lab.idle(idIn(made, 'server'));
    await lab.api.close();
    await writeFile(lab.stateFile, left);
    lab.driver.calls.length = 0;
    await lab.restart();
    await lab.idle(idIn(made, 'server'));
    expect(await lab.status(idIn(made, 'server'))).toBe('running');
    expect((await lab.call('GET', `/actions/${reboot}`)).body.action).toMatchObject({ status: 'error' });
    expect(lab.driver.calls.some((call) => call.startsWith('reboot'))).toBe(false);
  });

  it('refuses a state file that is not its own', async () => {
    await lab.api.close();
    await writeFile(lab.stateFile, '{"version":2}');
    await expect(lab.restart()).rejects.toMatchObject({ code: 'lab.failed' });
    await writeFile(lab.stateFile, '');
    await expect(lab.restart()).rejects.toMatchObject({ code: 'lab.failed' });
    lab = await Harness.start();
  });
});
