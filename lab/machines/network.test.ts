import { describe, expect, it } from 'vitest';
import { conflictingRoute, labNetwork, macOf } from './network.js';

describe('labNetwork', () => {
  it('puts the host at the first address', () => {
    expect(labNetwork('10.9.8.0/24')).toEqual({ cidr: '10.9.8.0/24', host: '10.9.8.1' });
  });

  it.each(['10.9.8.0', '10.9.8.0/8', '10.9.8.0/30', '10.9.256.0/24', 'fe80::/64'])('refuses %s', (cidr) => {
    expect(() => labNetwork(cidr)).toThrow(/not an IPv4 network/);
  });
});

describe('conflictingRoute', () => {
  const own = { dst: '10.77.0.0/24', dev: 'lab-1' };

  it.each([
    ['the same network elsewhere', { dst: '10.77.0.0/24', dev: 'eth1' }],
    ['a larger one around it', { dst: '10.0.0.0/8', dev: 'tun0' }],
    ['one address inside it', { dst: '10.77.0.9', dev: 'eth1' }],
  ])('finds %s', (_what, route) => {
    expect(conflictingRoute('10.77.0.0/24', [own, route], 'lab-1')).toBe(route);
  });

  it.each([
    ['its own', own],
    ['the default route', { dst: 'default', dev: 'eth0' }],
    ['a neighbour', { dst: '10.77.1.0/24', dev: 'eth0' }],
    ['the same bits in another place', { dst: '192.0.2.0/24', dev: 'eth0' }],
  ])('leaves %s alone', (_what, route) => {
    expect(conflictingRoute('10.77.0.0/24', [route], 'lab-1')).toBeUndefined();
  });
});

describe('macOf', () => {
  it('is local, unicast and different for each address', () => {
    expect(macOf('10.77.0.11')).toBe('02:77:0a:4d:00:0b');
  });
});
