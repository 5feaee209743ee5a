import { describe, expect, it } from 'vitest';
import { checkedNetwork, freeIpv4, ipv6For } from './network.js';

describe('freeIpv4', () => {
  const network = { cidr: '10.77.0.0/24', firstHost: 11 };

  it('takes the lowest free host', () => {
    expect(freeIpv4(network, new Set())).toBe('10.77.0.11');
    expect(freeIpv4(network, new Set(['10.77.0.11', '10.77.0.13']))).toBe('10.77.0.12');
  });

  it('never gives the broadcast address', () => {
    const used = new Set(Array.from({ length: 244 }, (_, n) => `10.77.0.${n + 11}`));
    expect(freeIpv4(network, used)).toBeUndefined();
  });

  it('counts over the octet in wider networks', () => {
    expect(freeIpv4({ cidr: '10.77.4.0/22', firstHost: 255 }, new Set(['10.77.4.255']))).toBe('10.77.5.0');
  });
});

it('gives a /64 for every address', () => {
  expect(ipv6For('10.77.0.11')).toBe('2001:db8:0:b::/64');
});

it.each([
  { cidr: '10.77.0.0', firstHost: 11 },
  { cidr: '10.77.0.300/24', firstHost: 11 },
  { cidr: '10.77.0.0/24', firstHost: 255 },
])('refuses %o', (network) => {
  expect(() => checkedNetwork(network)).toThrow();
});
