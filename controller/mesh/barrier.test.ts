import { describe, expect, it } from 'vitest';
import { BarrierKind, type MeshServer } from '../../proto/gen/nixinfra/v1/agent.js';
import { isKnownKind, type MeshNode, waitingFor } from './barrier.js';

const { BARRIER_KIND_DROPPED: DROPPED, BARRIER_KIND_SERVED: SERVED } = BarrierKind;
const instance = { group: 'frontends', app: 'hello', id: 'w1', address: '10.10.1.0:80' };
const server = (over: Partial<MeshServer> = {}): MeshServer => ({
  backend: 'hello',
  server: 'w1',
  address: '10.10.1.0:80',
  up: true,
  ...over,
});
const node = (servers: MeshServer[] | undefined, over: Partial<MeshNode> = {}): MeshNode => ({
  name: 'n1',
  services: ['frontends'],
  away: false,
  balances: true,
  servers,
  ...over,
});

describe('waitingFor', () => {
  it.each<[string, MeshNode, boolean, boolean]>([
    // What haproxy says, waited for until dropped, waited for until served.
    ['has it up', node([server()]), true, false],
    ['has it down', node([server({ up: false })]), true, true],
    ['does not have it', node([]), false, true],
    [
      'has another instance of the app',
      node([server({ server: 'w2', address: '10.10.2.0:80' })]),
      false,
      true,
    ],
    ['has another app of the same node', node([server({ address: '10.10.1.0:81' })]), false, true],
    ['has another node at the address', node([server({ server: 'w2' })]), false, true],
    ['has it in a backend of another name', node([server({ backend: 'frontends-hello' })]), true, false],
    ['has it up here and down there', node([server(), server({ backend: 'b', up: false })]), true, true],
    ['has not been heard in this session', node(undefined), true, true],
    ['is away', node([server()], { away: true }), false, false],
    ['has no haproxy', node(undefined, { balances: false }), false, false],
    ['does not serve the group', node([server()], { services: ['backends'] }), false, false],
    ['serves no group', node([server()], { services: [''] }), false, false],
  ])('a node that %s', (_, one, untilDropped, untilServed) => {
    expect(waitingFor(DROPPED, [instance], [one])).toEqual(untilDropped ? ['n1'] : []);
    expect(waitingFor(SERVED, [instance], [one])).toEqual(untilServed ? ['n1'] : []);
  });

  it('waits for every instance and names every node once, sorted', () => {
    const other = { ...instance, id: 'w1.2', address: '10.10.1.0:81' };
    const has = [server(), server({ server: 'w1.2', address: '10.10.1.0:81' })];
    const nodes = [node(has, { name: 'b' }), node(has.slice(0, 1), { name: 'a' }), node([], { name: 'c' })];
    expect(waitingFor(DROPPED, [instance, other], nodes)).toEqual(['a', 'b']);
    expect(waitingFor(SERVED, [instance, other], nodes)).toEqual(['a', 'c']);
  });

  it('waits for a node only for the instances of its groups', () => {
    const other = { ...instance, group: 'backends', id: 'w9' };
    expect(waitingFor(SERVED, [instance, other], [node([server()])])).toEqual([]);
  });

  it('waits for nobody without instances', () => {
    expect(waitingFor(DROPPED, [], [node([server()])])).toEqual([]);
  });

  it('knows two kinds', () => {
    expect([0, 1, 2, 3].map(isKnownKind)).toEqual([false, true, true, false]);
  });
});
