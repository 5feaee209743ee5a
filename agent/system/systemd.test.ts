import { expect, it } from 'vitest';
import { overlayIp, parseMeminfo } from '../health/sample.js';
import { Backoff } from '../session/backoff.js';
import { parseShow } from './systemd.js';

it('reads the blocks of systemctl show', () => {
  const text = 'Id=a.service\nActiveState=active\n\nActiveState=failed\nId=b.service\n';
  expect([...parseShow(text)]).toEqual([
    ['a.service', 'active'],
    ['b.service', 'failed'],
  ]);
});

it('reads /proc/meminfo', () => {
  expect(parseMeminfo('MemTotal:       2048 kB\nMemFree: 1 kB\nMemAvailable:   1024 kB\n')).toEqual({
    total: 2097152,
    available: 1048576,
  });
});

it('finds the overlay address whatever the backend', () => {
  const address = {
    address: '10.10.3.0',
    netmask: '',
    family: 'IPv4' as const,
    mac: '',
    internal: false,
    cidr: null,
  };
  expect(overlayIp({ lo: [], 'flannel.1': [address] })).toBe('10.10.3.0');
  expect(overlayIp({ eth0: [address] })).toBe('');
});

it('backs off, jittered, to a maximum, and begins anew after success', () => {
  const backoff = new Backoff(200, 1_000, () => 0.5);
  expect([1, 2, 3, 4, 5].map(() => backoff.next())).toEqual([200, 400, 800, 1_000, 1_000]);
  backoff.reset();
  expect(backoff.next()).toBe(200);
});
