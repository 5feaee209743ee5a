import { describe, expect, it } from 'vitest';
import { GetStatusResponse, NodeState } from '../../proto/gen/nixinfra/v1/operator.js';
import { Problem } from '../../shared/errors.js';
import { parseClusterConfig } from '../project/cluster-config.js';
import { sampleNode, sampleRollout } from '../rollout/testing/sample-rollout.js';
import { renderStatus } from './render-status.js';
import { statusView } from './status.js';

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
    expect(row).toMatch(new RegExp(`aaaaaaaaaaaa +${text} +- +-$`));
  });

  it('tells of each node whether its haproxy follows, and each warning once', () => {
    const warning = { code: 'mesh.invalid', subject: '/cluster/backends/a/meta_data', message: 'not JSON' };
    const node = (name: string, mesh?: object) =>
      NodeState.fromPartial({
        name,
        connected: true,
        ...(mesh ? { mesh: { readable: true, ...mesh } } : {}),
      });
    const names = ['etcd001', 'worker001', 'worker002', 'worker003'];
    const nodes = parseClusterConfig(
      `name: demo\nnixos: "25.05"\nnodes:\n  control: [etcd001]\n  cluster: { ${names
        .slice(1)
        .map((name) => `${name}: {}`)
        .join(', ')} }\n`,
    );
    const text = renderStatus(
      statusView({ config: nodes }, new Map(names.map((name) => [name, '10.0.0.1'])), {
        ...answer,
        nodes: [
          node('etcd001'),
          node('worker001', { revision: 7, seenRevision: 7, warnings: [warning] }),
          node('worker002', { revision: 7, seenRevision: 8, warnings: [warning] }),
          node('worker003', { readable: false }),
        ],
      }),
    );
    const words = text
      .split('\n')
      .slice(3, 7)
      .map((row) => row.replace(/.*none +- +/, ''));
    expect(words).toEqual(['-', 'serves', 'behind', 'no haproxy']);
    expect(text).toContain(
      'WARNINGS\n/cluster/backends/a/meta_data: not JSON [mesh.invalid], seen by worker001, worker002\n',
    );
  });

  it('tells of an app whose instances are all gone without a word that the last ones are kept', () => {
    const at = { id: 'w1', node: 'w1', ipv4: '10.10.1.0', port: 80, leased: false };
    const app = { group: 'backends', name: 'a', port: 80, instances: [], held: [at] };
    expect(renderStatus(statusView({ config }, new Map(), { ...answer, apps: [app] }))).toMatch(
      /none registered; the last ones are kept.*\n {2}w1 +10\.10\.1\.0:80 +held\n/,
    );
  });

  it('says why no controller answers', () => {
    const problem = new Problem('controller.unreachable', 'No controller answers', { reason: 'gone' });
    expect(shown(problem)[0]).toBe('cluster demo, no controller answers (No controller answers: gone)');
  });
});
