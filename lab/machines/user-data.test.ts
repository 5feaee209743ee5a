import { describe, expect, it } from 'vitest';
import { Problem } from '../../shared/errors.js';
import { parseUserData } from './user-data.js';

const full = `#cloud-config
hostname: worker001
ssh_deletekeys: true
ssh_keys:
  ed25519_private: |
    -----BEGIN OPENSSH PRIVATE KEY-----
    abc
    -----END OPENSSH PRIVATE KEY-----
  ed25519_public: ssh-ed25519 AAAA root@worker001
write_files:
  - path: /etc/motd
    content: hello
  - path: /root/secret
    content: aGk=
    encoding: b64
    permissions: '0600'
`;

describe('parseUserData', () => {
  it('reads every supported key', () => {
    const data = parseUserData(full);
    expect(data.hostname).toBe('worker001');
    expect(data.hostKey?.privateKey).toBe(
      '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n',
    );
    expect(data.hostKey?.publicKey).toBe('ssh-ed25519 AAAA root@worker001\n');
    expect(data.files.map(({ path, content, mode }) => [path, content.toString(), mode])).toEqual([
      ['/etc/motd', 'hello', 0o644],
      ['/root/secret', 'hi', 0o600],
    ]);
  });

  it.each([null, '', '\n', '#cloud-config\n'])('asks for nothing with %j', (text) => {
    expect(parseUserData(text)).toEqual({
      hostname: undefined,
      hostKey: undefined,
      authorizedKeys: [],
      files: [],
    });
  });

  it.each([
    ['a script', '#!/bin/sh\necho hi\n', /#cloud-config only/],
    ['an unsupported key', '#cloud-config\nruncmd: [reboot]\n', /runcmd/],
    ['half a host key', '#cloud-config\nssh_keys: {ed25519_private: x}\n', /ed25519_public/],
    ['a path that climbs', '#cloud-config\nwrite_files: [{path: /a/../b}]\n', /write_files\.0\.path/],
    ['a relative path', '#cloud-config\nwrite_files: [{path: a}]\n', /write_files\.0\.path/],
    ['broken YAML', '#cloud-config\na: [\n', /user data/],
  ])('refuses %s', (_what, text, expected) => {
    let problem: unknown;
    try {
      parseUserData(text);
    } catch (error) {
      problem = error;
    }
    expect(problem).toBeInstanceOf(Problem);
    const { message, where, reason } = problem as Problem;
    expect(`${message} ${where} ${reason}`).toMatch(expected);
  });
});
