import { describe, expect, it } from 'vitest';
import { directionsOf, partitionScript, rejoinScript } from './partitions.js';

/** As nft 1.0.6 printed it. */
const listing = (pairs: readonly [string, string][]) =>
  JSON.stringify({
    nftables: [
      { metainfo: { version: '1.0.6', json_schema_version: 1 } },
      {
        set: {
          family: 'bridge',
          name: 'cut',
          table: 'lab',
          type: ['ifname', 'ifname'],
          handle: 1,
          ...(pairs.length > 0 && { elem: pairs.map((concat) => ({ concat })) }),
        },
      },
    ],
  });

describe('partitions', () => {
  it('drop both directions of every pair, and no ARP', () => {
    const script = partitionScript('v-s1', ['v-s2', 'v-s3']);
    expect(script).toContain('ether type { ip, ip6 } iifname . oifname @cut drop\n');
    expect(script.trimEnd().split('\n').at(-1)).toBe(
      'add element bridge lab cut { "v-s1" . "v-s2", "v-s2" . "v-s1", "v-s1" . "v-s3", "v-s3" . "v-s1" }',
    );
  });

  it('are found at either end', () => {
    const text = listing([
      ['v-s1', 'v-s2'],
      ['v-s2', 'v-s1'],
      ['v-s2', 'v-s3'],
      ['v-s11', 'v-s3'],
    ]);
    expect(directionsOf(text, 'v-s1')).toEqual([
      ['v-s1', 'v-s2'],
      ['v-s2', 'v-s1'],
    ]);
    expect(directionsOf(text, 'v-s4')).toEqual([]);
    expect(directionsOf(listing([]), 'v-s1')).toEqual([]);
  });

  it('end one by one', () => {
    expect(rejoinScript([['v-s1', 'v-s2']])).toBe('delete element bridge lab cut { "v-s1" . "v-s2" }\n');
    expect(rejoinScript([])).toBe('');
  });
});
