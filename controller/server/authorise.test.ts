import { expect, it } from 'vitest';
import type { PrincipalKind } from '../../shared/names.js';
import { isNewer } from './agent-service.js';
import { refusal } from './authorise.js';
import { afterEvent } from './node-session.js';

const caller = (kind: PrincipalKind, cluster = 'demo') => ({ cluster, kind, name: 'x' });
const agentCall = '/nixinfra.v1.AgentService/Session';
const operatorCall = '/nixinfra.v1.OperatorService/GetStatus';

it('lets each kind call its own service and nobody anything else', () => {
  expect(refusal('demo', agentCall, caller('node'))).toBeUndefined();
  expect(refusal('demo', operatorCall, caller('operator'))).toBeUndefined();
  const refused = [
    refusal('demo', operatorCall, caller('node')),
    refusal('demo', agentCall, caller('operator')),
    refusal('demo', agentCall, caller('controller')),
    refusal('demo', '/nixinfra.v1.Other/Call', caller('operator')),
    refusal('demo', '', caller('operator')),
    refusal('demo', agentCall, caller('node', 'elsewhere')),
    refusal('demo', agentCall, undefined),
  ];
  for (const reason of refused) expect(reason).toEqual(expect.any(String));
});

it('yields a session only to a younger one that can be read', () => {
  expect(isNewer('{"sinceMs":2}', 1)).toBe(true);
  for (const other of ['{"sinceMs":1}', '{"sinceMs":0}', '{}', 'x', 'null'])
    expect(isNewer(other, 1)).toBe(false);
});

it('remembers which order a result answers', () => {
  const result = { revision: 'r', outcome: 2, message: '', log: [], system: '', durationMs: 0 };
  const before = { resultFor: 3, seenMs: 0, progress: { revision: 'r', phase: 1, message: '' } };
  const told = afterEvent(before, { $case: 'result', value: result }, { revision: 'r', change: 9 }, 5);
  expect(told).toMatchObject({ result, resultFor: 9, seenMs: 5, progress: undefined });
  expect(
    afterEvent(before, { $case: 'result', value: result }, { revision: 'other', change: 9 }, 5).resultFor,
  ).toBe(3);
});
