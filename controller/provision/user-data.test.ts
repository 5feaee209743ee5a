import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseUserData } from '../../lab/machines/user-data.js';
import { generateSshKey } from './ssh.js';
import { cloudInitUserData } from './user-data.js';

describe('cloudInitUserData', () => {
  it('installs the host key as it is, and no other', () => {
    const hostKey = generateSshKey('worker001');
    const text = cloudInitUserData(hostKey);
    expect(text.startsWith('#cloud-config\n')).toBe(true);
    expect(parse(text)).toEqual({
      ssh_deletekeys: true,
      ssh_keys: {
        ed25519_private: `${hostKey.privateKey.trimEnd()}\n`,
        ed25519_public: hostKey.publicKey.trim(),
      },
      ssh_pwauth: false,
    });
    expect(parseUserData(text).hostKey?.publicKey.trim()).toBe(hostKey.publicKey.trim());
  });
});
