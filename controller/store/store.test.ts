import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Outcome } from '../../proto/gen/nixinfra/v1/agent.js';
import { revisionOf, sha256 } from '../../shared/bundle/manifest.js';
import { checkBlob, checkManifest } from './blobs.js';
import { appStates, instanceKeysOf, nodeState } from './facts.js';
import { candidateNetworks, lowestFree } from './overlay.js';
import { nodeShape, parseStatus, parseValue, renderStatus } from './shapes.js';

const result = {
  revision: 'r',
  outcome: Outcome.OUTCOME_APPLIED,
  message: '',
  log: [],
  system: '/s',
  durationMs: 1,
  order: 'r-1/n/1',
};

describe('nodeState', () => {
  const desired = (order: string) => ({
    revision: 'r',
    order,
    epoch: 0,
    token: 1,
    options: { drainMs: 1, settleMs: 1, confirmMs: 1, force: false },
    change: 10,
  });
  it('shows a result only as the answer to the order that is desired', () => {
    const status = { result, seenMs: 1 };
    expect(nodeState({ name: 'n', desired: desired('r-1/n/2'), status }).result).toBeUndefined();
    expect(nodeState({ name: 'n', desired: desired('r-1/n/1'), status }).result).toEqual(result);
  });
  it('shows the last result of a node without an order', () => {
    expect(nodeState({ name: 'n', status: { result, seenMs: 1 } }).result).toEqual(result);
  });
  it('says what the node runs, not what it failed to run', () => {
    const hello = { protocolVersion: 2, agentVersion: '', bootId: '', revision: 'old', system: '/old' };
    expect(nodeState({ name: 'n', status: { hello, result, seenMs: 1 } })).toMatchObject({
      revision: 'old',
      system: '/old',
    });
  });
  it('is connected exactly while there is a session', () => {
    expect(nodeState({ name: 'n' }).connected).toBe(false);
    expect(nodeState({ name: 'n', session: { controller: 'c', sinceMs: 1 } })).toMatchObject({
      connected: true,
      controller: 'c',
    });
  });
});

describe('apps', () => {
  const entry = (key: string, value: object, lease = '0') => ({
    key,
    value: Buffer.from(JSON.stringify(value)),
    lease,
    modRevision: 1,
    createRevision: 1,
  });
  it('are put together from their keys', () => {
    const instance = { node: 'w1', ipv4: '10.10.1.0', port: 80 };
    expect(
      appStates([
        entry('/cluster/frontends/a/instances/w1', instance, '7'),
        entry('/cluster/frontends/a/meta_data', { publish: { port: 80 } }),
        entry('/cluster/frontends/a/last/w1', instance),
        entry('/cluster/frontends/a/other', {}),
      ]),
    ).toEqual([
      {
        group: 'frontends',
        name: 'a',
        port: 80,
        instances: [{ id: 'w1', ...instance, leased: true }],
        held: [],
      },
    ]);
  });
  it('keep the last ones while none is registered, and leave out what cannot be read', () => {
    const instance = { node: 'w1', ipv4: '10.10.1.0', port: 80 };
    expect(
      appStates([
        entry('/cluster/frontends/a/instances/w2', { node: 7 }),
        entry('/cluster/frontends/a/last/w1', instance),
        entry('/cluster/frontends/a/meta_data', { publish: 'x' }),
      ]),
    ).toEqual([
      {
        group: 'frontends',
        name: 'a',
        port: 0,
        instances: [],
        held: [{ id: 'w1', ...instance, leased: false }],
      },
    ]);
  });
  it('belong to a node by their whole id', () => {
    const at = (id: string) => `/cluster/frontends/a/instances/${id}`;
    expect(
      instanceKeysOf('w1', [at('w1'), at('w1.2'), at('w10'), at('w2'), '/cluster/frontends/w1/meta_data']),
    ).toEqual([at('w1'), at('w1.2')]);
  });
});

describe('overlay networks', () => {
  it('are taken from the bottom of the range and stay in it', () => {
    const all = [...candidateNetworks()];
    expect([all[0], all[256], all.at(-1)]).toEqual(['10.10.0.0', '10.11.0.0', '10.99.0.0']);
    expect(lowestFree(new Set(['10.10.0.0', '10.10.2.0']))).toBe('10.10.1.0');
    expect(lowestFree(new Set(all))).toBeUndefined();
  });
});

describe('values', () => {
  it('survive being written and read', () => {
    const status = { result, seenMs: 5 };
    expect(parseStatus('/k', Buffer.from(renderStatus(status)))).toMatchObject(status);
  });
  it('that are wrong are refused with their key', () => {
    for (const text of ['{', '{"name":1}']) {
      expect(() => parseValue('/k', Buffer.from(text), nodeShape)).toThrow(
        expect.objectContaining({ code: 'etcd.invalid', where: '/k' }),
      );
    }
  });
});

describe('bundles', () => {
  const file = { path: 'flake.nix', mode: 0o644, sha256: sha256('x'), size: 1 };
  const manifest = { node: 'w1', files: [file], revision: revisionOf('w1', [file]) };
  it('are accepted when everything fits', () => {
    expect(checkManifest('w1', manifest)).toBe(manifest);
    checkBlob(sha256('x'), gzipSync('x'));
  });
  it('are refused otherwise', () => {
    for (const wrong of [
      undefined,
      { ...manifest, node: 'w2' },
      { ...manifest, files: [] },
      { ...manifest, revision: sha256('') },
    ]) {
      expect(() => checkManifest('w1', wrong)).toThrow(expect.objectContaining({ code: 'bundle.invalid' }));
    }
    const bomb = gzipSync(Buffer.alloc(64 << 20));
    for (const [hash, gzip] of [
      [sha256('y'), gzipSync('x')],
      ['zz', gzipSync('x')],
      [sha256('x'), Buffer.from('x')],
      [sha256('x'), bomb],
    ] as const) {
      expect(() => checkBlob(hash, gzip)).toThrow(expect.objectContaining({ code: 'bundle.invalid' }));
    }
  });
});
