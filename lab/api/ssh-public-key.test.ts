import { expect, it } from 'vitest';
import { md5Fingerprint } from './ssh-public-key.js';

const key = 'AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f';

it('does not depend on the comment or the line end', () => {
  const plain = md5Fingerprint(`ssh-ed25519 ${key}`);
  expect(plain).toMatch(/^([0-9a-f]{2}:){15}[0-9a-f]{2}$/);
  expect(md5Fingerprint(`ssh-ed25519 ${key} me@host\n`)).toBe(plain);
});

it.each(['', 'ssh-ed25519', `ssh-rsa ${key}`, 'ssh-ed25519 AAAA', 'ssh-ed25519 %%%', `-----BEGIN ${key}`])(
  'refuses %j',
  (text) => {
    expect(md5Fingerprint(text)).toBeUndefined();
  },
);
