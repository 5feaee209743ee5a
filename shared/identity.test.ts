import { describe, expect, it } from 'vitest';
import { principalOf } from './identity.js';

describe('principalOf', () => {
  const ours = 'URI:nix-infra://demo/node/worker001';
  it.each([
    [`DNS:localhost, IP Address:127.0.0.1, ${ours}`, { cluster: 'demo', kind: 'node', name: 'worker001' }],
    [ours, { cluster: 'demo', kind: 'node', name: 'worker001' }],
    [`${ours}, URI:nix-infra://demo/operator/alice`, undefined],
    [`${ours}, URI:https://example.org`, undefined],
    ['DNS:nix-infra://demo/node/worker001', undefined],
    ['URI:nix-infra://demo/root/worker001', undefined],
    ['URI:"nix-infra://demo/node/worker001\\u002c URI:x"', undefined],
    [undefined, undefined],
  ])('%s', (subjectaltname, expected) => {
    expect(principalOf({ subjectaltname })).toEqual(expected);
  });
});
