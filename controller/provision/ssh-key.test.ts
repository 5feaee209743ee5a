import ssh2 from 'ssh2';
import { expect, it } from 'vitest';
import { generateSshKey } from './ssh.js';

it('makes only keys that can be read again', () => {
  // One in 150 of ssh2's own cannot: 500 would show it in 29 of 30 runs.
  for (let at = 0; at < 500; at++) {
    const { privateKey, publicKey } = generateSshKey('somebody');
    expect(ssh2.utils.parseKey(privateKey)).not.toBeInstanceOf(Error);
    expect(ssh2.utils.parseKey(publicKey)).not.toBeInstanceOf(Error);
  }
});
