import { describe, expect, it } from 'vitest';
import { Outcome, type Result } from '../../proto/gen/nixinfra/v1/agent.js';
import type { PrincipalKind } from '../../shared/names.js';
import { refusal } from './authorise.js';
import { afterEvent } from './node-session.js';
import { beginOf, isNewer } from './session-claim.js';

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

it('begins a session after the one it follows, also when that controller had a clock that is ahead', () => {
  expect(beginOf(undefined, 10)).toBe(10);
  expect(beginOf('{"sinceMs":5}', 10)).toBe(10);
  expect(beginOf('{"sinceMs":99}', 10)).toBe(100);
  expect(beginOf('x', 10)).toBe(10);
});

describe('the status of a node', () => {
  const result = (outcome: Outcome, system: string): Result => ({
    revision: 'new',
    order: 'o/1',
    outcome,
    message: '',
    log: [],
    system,
    durationMs: 0,
  });
  const hello = { protocolVersion: 2, agentVersion: '', bootId: '', revision: 'old', system: '/old' };
  const before = { hello, seenMs: 0, progress: { revision: 'new', phase: 1, message: '', order: 'o/1' } };

  it.each([
    [Outcome.OUTCOME_UNCHANGED, 'new'],
    [Outcome.OUTCOME_APPLIED, 'new'],
    [Outcome.OUTCOME_NEEDS_REBOOT, 'new'],
    [Outcome.OUTCOME_UNHEALTHY, 'new'],
    [Outcome.OUTCOME_REJECTED, 'old'],
    [Outcome.OUTCOME_ROLLED_BACK, 'old'],
  ])('says what runs after outcome %s', (outcome, revision) => {
    const value = result(outcome, '/now');
    const after = afterEvent(before, { $case: 'result', value }, 5);
    expect(after).toEqual({
      hello: { ...hello, revision, system: '/now' },
      result: value,
      seenMs: 5,
      progress: undefined,
    });
  });

  it('forgets what was under way when the agent dials in anew', () => {
    expect(afterEvent(before, { $case: 'hello', value: hello }, 5).progress).toBeUndefined();
  });
});
