import { describe, expect, it } from 'vitest';
import { type HostFacts, lacks } from './preflight.js';

const good: HostFacts = {
  platform: 'linux',
  uid: 0,
  filesystems: 'nodev\tsysfs\n\text4\nnodev\toverlay\n',
  nspawn: 'systemd 257 (257.9-1)\n+PAM',
  missingPrograms: [],
  bridgeNetfilter: true,
  stateFsType: 0xef53,
  stateDir: '/var/lib/lab',
  namespaceError: '',
};

describe('lacks', () => {
  it('finds nothing on a good host', () => {
    expect(lacks(good)).toEqual([]);
  });

  it.each<[string, Partial<HostFacts>, RegExp, RegExp]>([
    ['another system', { platform: 'darwin', uid: 501 }, /darwin/, /Linux/],
    ['no root', { uid: 1000, namespaceError: 'not permitted' }, /root/, /sudo/],
    [
      'missing programs',
      { missingPrograms: ['ip', 'nsenter', 'unshare'] },
      /ip, nsenter/,
      /iproute2 util-linux$/,
    ],
    ['no nspawn', { nspawn: '' }, /systemd-nspawn is not installed/, /systemd-container/],
    ['an old nspawn', { nspawn: 'systemd 247 (247)' }, /247, older than 252/, /newer/],
    ['no overlayfs', { filesystems: 'nodev\toverlayfs2\n' }, /overlayfs/, /modprobe/],
    ['no filter for bridged frames', { bridgeNetfilter: false }, /br_netfilter/, /modprobe/],
    ['state on an overlay', { stateFsType: 0x794c7630 }, /on an overlay/, /NIX_INFRA_LAB_DIR/],
    ['state on a tmpfs', { stateFsType: 0x01021994 }, /on a tmpfs/, /NIX_INFRA_LAB_DIR/],
    ['a path that mount cannot take', { stateDir: '/a:b' }, /\/a:b/, /NIX_INFRA_LAB_DIR/],
    ['a container without rights', { namespaceError: 'unshare failed' }, /unshare failed/, /virtual machine/],
  ])('finds %s, and says what to do', (_what, facts, what, next) => {
    const found = lacks({ ...good, ...facts });
    expect(found).toHaveLength(1);
    expect(found[0]?.what).toMatch(what);
    expect(found[0]?.next).toMatch(next);
  });

  it('says the most basic first', () => {
    expect(lacks({ ...good, uid: 1000, nspawn: '' }).map(({ what }) => what)).toEqual([
      'it does not run as root',
      'systemd-nspawn is not installed',
    ]);
  });
});
