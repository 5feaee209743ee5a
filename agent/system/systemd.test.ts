import { expect, it } from 'vitest';
import { overlayIp, parseMeminfo } from '../health/sample.js';
import { Backoff } from '../session/backoff.js';
import { parseShow, parseUnitStates } from './systemd.js';

it('reads the blocks of systemctl show', () => {
  const text = 'Id=a.service\nActiveState=active\n\nActiveState=failed\nId=b.service\n';
  expect([...parseShow(text)]).toEqual([
    ['a.service', 'active'],
    ['b.service', 'failed'],
  ]);
});

it('reads what a proof needs of units, and leaves out those that do not exist', () => {
  const text = [
    'Type=oneshot\nNRestarts=2\nResult=exit-code\nId=a.service\nLoadState=loaded\nActiveState=activating\nSubState=auto-restart\nConditionResult=yes\nTriggeredBy=',
    'Id=b.timer\nLoadState=loaded\nActiveState=active\nSubState=waiting\nResult=success\nConditionResult=no\nTriggeredBy=b.path',
    'Id=c.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead',
  ].join('\n\n');
  expect([...parseUnitStates(text)]).toEqual([
    [
      'a.service',
      {
        active: 'activating',
        sub: 'auto-restart',
        result: 'exit-code',
        type: 'oneshot',
        restarts: 2,
        condition: true,
        triggered: false,
      },
    ],
    [
      'b.timer',
      {
        active: 'active',
        sub: 'waiting',
        result: 'success',
        type: '',
        restarts: 0,
        condition: false,
        triggered: true,
      },
    ],
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
