import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { specOf } from './provider.contract.js';
import { createSelfHostedProvider } from './self-hosted.js';
import { MemoryProvider } from './testing/memory-provider.js';

let project: string;

beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), 'own-'));
  return () => rm(project, { recursive: true, force: true });
});

async function own(text: string, cloud?: MemoryProvider) {
  await writeFile(join(project, 'servers.yaml'), text);
  return createSelfHostedProvider(project, cloud);
}

const two = `servers:
  web2: { ip: 192.0.2.12, ssh_key: /keys/web2, username: admin, description: text }
  web1: { ip: 192.0.2.11, ssh_key: ./ssh/key, id: 7 }
`;

describe('the self-hosted provider', () => {
  it('lists the file, with how to log in', async () => {
    const provider = await own(two);
    expect(await provider.listServers('demo')).toMatchObject([
      { name: 'web1', ipv4: '192.0.2.11', ssh: { user: 'root', keyFile: join(project, 'ssh/key') } },
      { name: 'web2', ipv4: '192.0.2.12', ssh: { user: 'admin', keyFile: '/keys/web2' } },
    ]);
    const ready = await provider.waitRunning(['web2', 'web1'], 'demo');
    expect(ready.map(({ name }) => name)).toEqual(['web2', 'web1']);
  });

  it('gives what is in the file, makes nothing and removes nothing', async () => {
    const provider = await own(two);
    expect(await provider.createServer(specOf('web1'))).toMatchObject({ ipv4: '192.0.2.11' });
    await expect(provider.createServer(specOf('web3'))).rejects.toMatchObject({ code: 'provider.rejected' });
    await expect(provider.waitRunning(['web3'], 'demo')).rejects.toMatchObject({ code: 'node.unknown' });
    await expect(provider.deleteServers(['web1'], 'demo')).rejects.toMatchObject({
      code: 'provider.rejected',
    });
    await provider.deleteServers(['web3'], 'demo');
  });

  it('asks the cloud for entries that stand there', async () => {
    const cloud = new MemoryProvider();
    await cloud.ensureSshKey('key', 'ssh-ed25519 AAAA', 'demo');
    await cloud.createServer(specOf('web1'));
    const text = 'servers: { web1: { provider: hetzner, ssh_key: key } }';
    expect(await (await own(text, cloud)).listServers('demo')).toMatchObject([{ ipv4: '192.0.2.1' }]);
    await expect((await own(text)).listServers('demo')).rejects.toMatchObject({ code: 'provider.none' });
  });

  it('has no servers without a file', async () => {
    expect(await createSelfHostedProvider(project).listServers('demo')).toEqual([]);
  });

  it.each([
    ['no servers', 'nodes: {}', 'servers.yaml: servers'],
    ['neither ip nor provider', 'servers: { a: { ssh_key: k } }', 'servers.yaml: servers: a'],
    ['both', 'servers: { a: { ssh_key: k, ip: 192.0.2.1, provider: hetzner } }', 'servers.yaml: servers: a'],
    ['no key', 'servers: { a: { ip: 192.0.2.1 } }', 'servers.yaml: servers: a: ssh_key'],
    ['a wrong address', 'servers: { a: { ip: web, ssh_key: k } }', 'servers.yaml: servers: a: ip'],
    ['a wrong name', 'servers: { A_B: { ip: 192.0.2.1, ssh_key: k } }', 'servers.yaml: servers: A_B'],
    ['no YAML', '{', 'servers.yaml'],
  ])('tells of a file with %s', async (_, text, where) => {
    const provider = await own(text);
    await expect(provider.listServers('demo')).rejects.toMatchObject({ code: 'config.invalid', where });
  });
});
