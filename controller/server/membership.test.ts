import { describe, expect, it } from 'vitest';
import { initialCluster, type MemberHealth, memberOf, removalRefusal } from './membership.js';

const member = (n: number, healthy: boolean, name = `etcd00${n}`): MemberHealth => ({
  id: String(n),
  name,
  peerUrls: [`https://10.0.0.${n}:2380`],
  clientUrls: name === '' ? [] : [`https://10.0.0.${n}:2379`],
  healthy,
});
const at = (members: MemberHealth[], n: number) => members.find(({ id }) => id === String(n)) as MemberHealth;

describe('removalRefusal', () => {
  it.each<[string, boolean[], boolean, string | undefined]>([
    ['a dead one of three', [false, true, true], false, undefined],
    ['a healthy one', [true, true, true], false, 'node.alive'],
    ['a healthy one by force', [true, true, true], true, undefined],
    ['a dead one while another is dead', [false, false, true], false, 'etcd.quorum'],
    ['the same by force', [false, false, true], true, 'etcd.quorum'],
    ['the last one by force', [true], true, 'etcd.quorum'],
    ['one of two by force', [true, true], true, undefined],
    ['a dead one of five while another is dead', [false, false, true, true, true], false, undefined],
    ['a dead one of five while two others are', [false, false, false, true, true], false, 'etcd.quorum'],
  ])('%s', (_, health, force, code) => {
    const members = health.map((healthy, i) => member(i + 1, healthy));
    expect(removalRefusal(at(members, 1), members, force)?.code).toBe(code);
  });
});

it('finds the member of a node by name, or by the address where it was announced', () => {
  const members = [member(1, true), member(2, true), member(3, false, '')];
  expect(memberOf(members, 'etcd002', undefined)?.id).toBe('2');
  expect(memberOf(members, 'etcd003', 'https://10.0.0.3:2380')?.id).toBe('3');
  expect(memberOf(members, 'etcd003', 'https://10.0.0.4:2380')).toBeUndefined();
  expect(memberOf(members, 'etcd003', 'https://10.0.0.2:2380')).toBeUndefined();
});

it('names the new member in the initial cluster', () => {
  const members = [member(1, true), member(2, true), member(3, false, '')];
  expect(initialCluster(members, 'etcd003', 'https://10.0.0.3:2380')).toBe(
    'etcd001=https://10.0.0.1:2380,etcd002=https://10.0.0.2:2380,etcd003=https://10.0.0.3:2380',
  );
});
