import { describe, expect, it, onTestFinished } from 'vitest';
import { Harness } from '../../lab/api/testing/harness.js';
import { createHetznerProvider } from './hetzner/provider.js';
import { providerContract, specOf } from './provider.contract.js';
import { generateSshKey } from './ssh.js';
import { MemoryProvider } from './testing/memory-provider.js';

const { publicKey } = generateSshKey('test');

/** Real time, but a hundred times faster: the lab's answers need some. */
const quick = {
  now: () => performance.now(),
  sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms / 100)),
  random: () => 0.5,
};

const providerOf = (lab: Harness) =>
  createHetznerProvider({ token: lab.api.token, endpoint: lab.api.url, clock: quick });

providerContract('in memory', async () => {
  const provider = new MemoryProvider();
  return { provider, again: () => provider, close: async () => undefined };
});

for (const profile of ['compat', 'strict-2026-10'] as const) {
  providerContract(`Hetzner, over the lab's API (${profile})`, async () => {
    const lab = await Harness.start({ profile });
    return { provider: providerOf(lab), again: () => providerOf(lab), close: () => lab.stop() };
  });
}

async function labCloud() {
  const lab = await Harness.start({ profile: 'strict-2026-10' });
  onTestFinished(() => lab.stop());
  const provider = providerOf(lab);
  await provider.ensureSshKey('key', publicKey, 'demo');
  return { lab, provider };
}

describe('the Hetzner provider', () => {
  it('makes one server when the answer to the first request is lost', async () => {
    const { lab, provider } = await labCloud();
    const fault = { method: 'POST', path: '/v1/servers', effect: 'lose-reply' };
    expect((await lab.call('POST', '/_lab/faults', fault)).status).toBe(201);
    await provider.createServer(specOf('worker001'));
    await provider.waitRunning(['worker001'], 'demo');
    expect(lab.driver.calls.filter((call) => call.startsWith('create'))).toHaveLength(1);
    expect(await provider.listServers('demo')).toHaveLength(1);
  });

  it('makes the server when the first requests end in a gateway', async () => {
    const { lab, provider } = await labCloud();
    await lab.call('POST', '/_lab/faults', { method: 'POST', path: '/v1/servers', status: 502, count: 2 });
    expect(await provider.createServer(specOf('worker001'))).toMatchObject({ name: 'worker001' });
  });

  it('finds the newest snapshot by its labels', async () => {
    const { lab, provider } = await labCloud();
    await provider.createServer(specOf('worker001', { image: 'label:os=nixos' }));
    const { body } = await lab.call('GET', '/servers');
    expect(body).toMatchObject({ servers: [{ image: { id: 320 } }] });
    const none = provider.createServer(specOf('worker002', { image: 'label:os=plan9' }));
    await expect(none).rejects.toMatchObject({ code: 'provider.rejected', where: 'image' });
  });

  it('puts servers into their placement group', async () => {
    const { lab, provider } = await labCloud();
    await provider.ensurePlacementGroup('spread', 'demo');
    await provider.createServer(specOf('worker001', { placementGroup: 'spread' }));
    const { body } = await lab.call('GET', '/servers');
    expect(body).toMatchObject({ servers: [{ placement_group: { name: 'spread' } }] });
  });

  it('tells of a server that the cloud could not start, and starts it the next time', async () => {
    const { lab, provider } = await labCloud();
    lab.driver.failing.add('start');
    await provider.createServer(specOf('worker001'));
    const waiting = provider.waitRunning(['worker001'], 'demo');
    await expect(waiting).rejects.toMatchObject({ code: 'provider.action-failed', node: 'worker001' });
    lab.driver.failing.clear();
    expect(await provider.waitRunning(['worker001'], 'demo')).toMatchObject([{ status: 'running' }]);
  });

  it('tells quota and capacity apart', async () => {
    const { lab, provider } = await labCloud();
    const fault = { method: 'POST', path: '/v1/servers' };
    await lab.call('POST', '/_lab/faults', { ...fault, status: 403, code: 'resource_limit_exceeded' });
    await expect(provider.createServer(specOf('a'))).rejects.toMatchObject({ code: 'provider.quota' });
    await lab.call('POST', '/_lab/faults', { ...fault, status: 412, code: 'resource_unavailable' });
    await expect(provider.createServer(specOf('a'))).rejects.toMatchObject({ code: 'provider.unavailable' });
    const stranger = createHetznerProvider({ token: 'x'.repeat(64), endpoint: lab.api.url, clock: quick });
    await expect(stranger.listServers('demo')).rejects.toMatchObject({ code: 'provider.auth' });
  });

  it('uses a key that the project knows under another name, and leaves it there', async () => {
    const { lab, provider } = await labCloud();
    const theirs = generateSshKey('theirs').publicKey;
    await lab.call('POST', '/ssh_keys', { name: 'laptop', public_key: theirs });
    await provider.ensureSshKey('other-key', theirs, 'demo');
    await provider.createServer(specOf('worker001', { sshKeyName: 'other-key' }));
    await provider.removeSshKey('other-key', 'demo');
    await provider.removeSshKey('laptop', 'demo');
    expect((await lab.call('GET', '/ssh_keys?name=laptop')).body.ssh_keys).toHaveLength(1);
  });

  it('sees all servers of a cluster that fills more than one page', async () => {
    const lab = await Harness.start({ serverLimit: 60 });
    onTestFinished(() => lab.stop());
    const provider = providerOf(lab);
    await provider.ensureSshKey('key', publicKey, 'demo');
    const names = Array.from({ length: 53 }, (_, index) => `worker${100 + index}`);
    await Promise.all(names.map((name) => provider.createServer(specOf(name))));
    expect((await provider.waitRunning(names, 'demo')).map(({ name }) => name)).toEqual(names);
  });
});
