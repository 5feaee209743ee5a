import { describe, expect, it } from 'vitest';
import { GetStatusResponse, NodeState } from '../../proto/gen/nixinfra/v1/operator.js';
import { Problem } from '../../shared/errors.js';
import { parseClusterConfig } from '../project/cluster-config.js';
import { sampleNode, sampleRollout } from '../rollout/testing/sample-rollout.js';
import { renderStatus, statusView } from './status.js';

const config = parseClusterConfig('name: demo\nnixos: "25.05"\nnodes:\n  control: [etcd001]\n');
const answer = GetStatusResponse.fromPartial({ cluster: 'demo', controller: 'etcd001', leader: 'etcd002' });
const rollout = sampleRollout([sampleNode('one')], { state: 'running', startedMs: 1_000 });
const shown = (...args: [GetStatusResponse | Problem, (typeof rollout | undefined)?]) =>
  renderStatus(statusView({ config }, new Map(), ...args))
    .split('\n')
    .slice(0, 2);

describe('status', () => {
  it('tells who leads and which rollout runs', () => {
    expect(shown(answer, rollout)).toEqual([
      'cluster demo, asked etcd001, etcd002 leads',
      `rollout ${rollout.id} is running since 1970-01-01T00:00:01.000Z, by dev@laptop: a new greeting`,
    ]);
  });

  it.each(['planned', 'succeeded', 'undone'] as const)('says nothing of a rollout that is %s', (state) => {
    expect(shown({ ...answer, leader: '' }, { ...rollout, state })).toEqual([
      'cluster demo, asked etcd001, nobody leads',
      '',
    ]);
  });

  it.each([
    ['', 'none'],
    ['a'.repeat(64), 'none'],
    ['b'.repeat(64), 'none, wants bbbbbbbbbbbb'],
  ])('tells what a node shall run only when it is something else ("%s")', (desiredRevision, text) => {
    const node = { name: 'etcd001', connected: true, revision: 'a'.repeat(64), desiredRevision };
    const view = statusView({ config }, new Map([['etcd001', '10.0.0.1']]), {
      ...answer,
      nodes: [NodeState.fromPartial(node)],
    });
    const row = renderStatus(view).split('\n')[3];
    expect(row).toMatch(new RegExp(`aaaaaaaaaaaa +${text} +-$`));
  });

  it('says why no controller answers', () => {
    const problem = new Problem('controller.unreachable', 'No controller answers', { reason: 'gone' });
    expect(shown(problem)[0]).toBe('cluster demo, no controller answers (No controller answers: gone)');
  });
});
