/** What every provider that makes servers promises. Each implementation runs it, the fake too. */
import { beforeEach, describe, expect, it } from 'vitest';
import { CLUSTER_LABEL, type Provider, type ServerSpec } from './provider.js';
import { generateSshKey } from './ssh.js';

export interface ProviderUnderTest {
  provider: Provider;
  /** The same cloud, seen by another process. */
  again(): Provider;
  close(): Promise<void>;
}

export function specOf(name: string, change: Partial<ServerSpec> = {}): ServerSpec {
  return {
    name,
    type: 'cx23',
    location: 'fsn1',
    image: 'debian-13',
    sshKeyName: 'key',
    labels: { [CLUSTER_LABEL]: 'demo', 'nix-infra/kind': 'cluster' },
    userData: '#cloud-config\n{}\n',
    ...change,
  };
}

export function providerContract(title: string, start: () => Promise<ProviderUnderTest>): void {
  describe(`the provider contract: ${title}`, () => {
    const { publicKey } = generateSshKey('contract');
    let cloud: ProviderUnderTest;
    let provider: Provider;

    beforeEach(async () => {
      cloud = await start();
      provider = cloud.provider;
      await provider.ensureSshKey('key', publicKey, 'demo');
      return () => cloud.close();
    });

    const names = async (cluster = 'demo') => (await provider.listServers(cluster)).map(({ name }) => name);

    it('makes servers that run, with the labels asked for and an address', async () => {
      await provider.createServer(specOf('worker002'));
      await provider.createServer(specOf('worker001'));
      const running = await provider.waitRunning(['worker002', 'worker001'], 'demo');
      expect(running.map(({ name, status }) => [name, status])).toEqual([
        ['worker002', 'running'],
        ['worker001', 'running'],
      ]);
      expect(running[0]).toMatchObject({ labels: specOf('x').labels, type: 'cx23', location: 'fsn1' });
      expect(new Set(running.map(({ ipv4 }) => ipv4)).size).toBe(2);
      expect(await names()).toEqual(['worker001', 'worker002']);
    });

    it('makes a server once, also for another process', async () => {
      const first = await provider.createServer(specOf('worker001'));
      const second = await cloud.again().createServer(specOf('worker001'));
      expect(second.id).toBe(first.id);
      await cloud.again().waitRunning(['worker001'], 'demo');
      expect(await names()).toEqual(['worker001']);
    });

    it('keeps clusters apart', async () => {
      await provider.createServer(specOf('worker001'));
      const labels = { [CLUSTER_LABEL]: 'other' };
      const theirs = specOf('worker001', { labels });
      await expect(provider.createServer(theirs)).rejects.toMatchObject({ code: 'provider.rejected' });
      expect(await names('other')).toEqual([]);
      await provider.deleteServers(['worker001'], 'other');
      await provider.removeSshKey('key', 'other');
      expect(await names()).toEqual(['worker001']);
      await provider.createServer(specOf('worker002'));
      await expect(provider.waitRunning(['worker001'], 'other')).rejects.toMatchObject({
        code: 'node.unknown',
      });
    });

    it('removes servers until they are gone, and does not mind what is absent', async () => {
      await provider.createServer(specOf('worker001'));
      await provider.createServer(specOf('worker002'));
      await provider.waitRunning(['worker001', 'worker002'], 'demo');
      await provider.deleteServers(['worker001', 'worker009'], 'demo');
      expect(await names()).toEqual(['worker002']);
      await provider.deleteServers(['worker001'], 'demo');
    });

    it('makes a removed server anew', async () => {
      const first = await provider.createServer(specOf('worker001'));
      await provider.waitRunning(['worker001'], 'demo');
      await provider.deleteServers(['worker001'], 'demo');
      expect((await provider.createServer(specOf('worker001'))).id).not.toBe(first.id);
    });

    it('takes keys and groups again, and removes them once', async () => {
      await provider.ensurePlacementGroup('spread', 'demo');
      await provider.ensurePlacementGroup('spread', 'demo');
      await provider.ensureSshKey('key', publicKey, 'demo');
      await provider.ensureSshKey('key', generateSshKey('new').publicKey, 'demo');
      await provider.createServer(specOf('worker001', { placementGroup: 'spread' }));
      await provider.waitRunning(['worker001'], 'demo');
      await provider.deleteServers(['worker001'], 'demo');
      await provider.removePlacementGroup('spread', 'demo');
      await provider.removePlacementGroup('spread', 'demo');
      await provider.removeSshKey('key', 'demo');
      await provider.removeSshKey('key', 'demo');
      const orphan = provider.createServer(specOf('worker002', { placementGroup: 'spread' }));
      await expect(orphan).rejects.toMatchObject({ code: 'provider.rejected' });
    });

    it('refuses what the cloud does not know, and makes nothing', async () => {
      const wrong = specOf('worker001', { image: 'no-such-image' });
      await expect(provider.createServer(wrong)).rejects.toMatchObject({ code: 'provider.rejected' });
      expect(await names()).toEqual([]);
    });
  });
}
