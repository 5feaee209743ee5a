import { describe, expect, it } from 'vitest';
import { type Repair, type Rules, repairOf, twinWrite } from './key-repair.js';
import type { Entry, Write } from './store.js';

const entry = (value: string, lease: string): Entry => ({
  key: '/k',
  value: Buffer.from(value),
  lease,
  modRevision: 7,
  createRevision: 7,
});
const plain: Rules = { deletesForeign: true };
const polite: Rules = { deletesForeign: false, yieldsTo: (_key, other) => other === 'newer' };

describe('repairOf', () => {
  const put: Repair = { do: 'put', key: '/k', value: 'v' };
  const remove: Repair = { do: 'delete', key: '/k', modRevision: 7 };
  it.each<[string, string | undefined, Entry | undefined, Rules, Repair | undefined]>([
    ['absent', 'v', undefined, plain, put],
    ['right', 'v', entry('v', '1'), plain, undefined],
    ['another value', 'v', entry('x', '1'), plain, put],
    ['a former lease', 'v', entry('v', '2'), plain, put],
    ['not wanted and absent', undefined, undefined, plain, undefined],
    ['not wanted, ours', undefined, entry('v', '1'), polite, remove],
    ['not wanted, of a former run', undefined, entry('v', '2'), plain, remove],
    ['not wanted, of somebody else', undefined, entry('v', '2'), polite, undefined],
    ['of somebody who is newer', 'v', entry('newer', '2'), polite, { do: 'yield', key: '/k' }],
    ['of somebody who is older', 'v', entry('older', '2'), polite, put],
  ])('%s', (_, wanted, found, rules, expected) => {
    expect(repairOf('/k', wanted, found, '1', rules)).toEqual(expected);
  });
});

describe('twinWrite', () => {
  const put: Write = { do: 'put', key: '/t', value: 'v' };
  it.each<[string, string | undefined, Entry | undefined, Write | undefined]>([
    ['absent', 'v', undefined, put],
    ['right', 'v', entry('v', '0'), undefined],
    ['another value', 'v', entry('x', '0'), put],
    ['under a lease, which would take it away', 'v', entry('v', '1'), put],
    ['not wanted and absent', undefined, undefined, undefined],
    ['not wanted', undefined, entry('v', '0'), { do: 'delete', key: '/t' }],
  ])('%s', (_, wanted, found, expected) => {
    expect(twinWrite('/t', wanted, found)).toEqual(expected);
  });
});
