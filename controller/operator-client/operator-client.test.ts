/** Against real gRPC servers on loopback that die and come back, as controllers do. */
import { credentials, Server, ServerCredentials, type ServerWritableStream, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type OperatorServiceServer,
  OperatorServiceService,
  type PutBlobsRequest,
  type WatchRolloutResponse,
} from '../../proto/gen/nixinfra/v1/operator.js';
import { sha256 } from '../../shared/bundle/manifest.js';
import type { ErrorCode } from '../../shared/error-catalogue.js';
import { Problem } from '../../shared/errors.js';
import { parseOptions } from '../rollout/options.js';
import type { RolloutState } from '../rollout/rollout.js';
import { sampleNode, sampleRollout } from '../rollout/testing/sample-rollout.js';
import { toServiceError } from '../server/status.js';
import { Connection } from './connection.js';
import { firstView, OperatorClient } from './operator-client.js';

type Handlers = Partial<OperatorServiceServer>;

const open: { close(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

/** A controller on loopback; `kill` takes its connections away without a word, as kill -9 does. */
async function controller(handlers: Handlers, port = 0) {
  const unimplemented = () => {
    throw new Error('not asked for');
  };
  const all = Object.fromEntries(Object.keys(OperatorServiceService).map((name) => [name, unimplemented]));
  const server = new Server();
  server.addService(OperatorServiceService, { ...all, ...handlers } as OperatorServiceServer);
  const bound = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, at) =>
      error ? reject(error) : resolve(at),
    ),
  );
  open.push({ close: () => server.forceShutdown() });
  return { port: bound, kill: () => server.forceShutdown() };
}

function operator(...ports: number[]) {
  const client = new OperatorClient(
    new Connection({
      controllers: ports.map((port, at) => ({ name: `etcd00${at + 1}`, address: `127.0.0.1:${port}` })),
      credentials: credentials.createInsecure(),
      times: { connectMs: 500, unansweredMs: 1_000, retryMs: 20 },
    }),
  );
  open.push(client);
  return client;
}

const refusal = (code: ErrorCode) => toServiceError(new Problem(code, 'refused'));

const state = (name: RolloutState, leader = 'etcd001'): WatchRolloutResponse => ({
  rollout: JSON.stringify(sampleRollout([sampleNode('one')], { state: name })),
  nodes: [],
  leader,
});
type WatchCall = ServerWritableStream<{ id: string }, WatchRolloutResponse>;
const forever = new AbortController().signal;
const id = sampleRollout([]).id;

describe('watching a rollout', () => {
  it('goes on at another controller when the one in use is killed, with the same rollout', async () => {
    const asked: string[] = [];
    const first = await controller({
      watchRollout: (call: WatchCall) => {
        asked.push(`first ${call.request.id}`);
        call.write(state('running'));
      },
    });
    const second = await controller({
      watchRollout: (call: WatchCall) => {
        asked.push(`second ${call.request.id}`);
        call.write(state('running', 'etcd002'));
        call.write(state('succeeded', 'etcd002'));
        call.end();
      },
    });
    const seen: string[] = [];
    for await (const { rollout, leader } of operator(first.port, second.port).watchRollout('', forever)) {
      seen.push(`${rollout.state} ${leader}`);
      if (seen.length === 1) first.kill();
    }
    expect(seen).toEqual(['running etcd001', 'running etcd002', 'succeeded etcd002']);
    expect(asked).toEqual(['first ', `second ${id}`]);
  });

  it('waits for the only controller to come back', async () => {
    const first = await controller({ watchRollout: (call: WatchCall) => void call.write(state('running')) });
    const seen: string[] = [];
    for await (const { rollout } of operator(first.port).watchRollout(id, forever)) {
      seen.push(rollout.state);
      if (seen.length > 1) continue;
      first.kill();
      await controller(
        {
          watchRollout: (call: WatchCall) => {
            call.write(state('undone'));
            call.end();
          },
        },
        first.port,
      );
    }
    expect(seen).toEqual(['running', 'undone']);
  });

  it('takes an end before the end of the rollout as a controller that went away', async () => {
    let calls = 0;
    const { port } = await controller({
      watchRollout: (call: WatchCall) => {
        calls += 1;
        call.write(state(calls < 3 ? 'running' : 'aborted'));
        call.end();
      },
    });
    const seen: string[] = [];
    for await (const { rollout } of operator(port).watchRollout(id, forever)) seen.push(rollout.state);
    expect(seen).toEqual(['running', 'running', 'aborted']);
  });

  it('goes on when a controller says that it shuts down', async () => {
    const first = await controller({
      watchRollout: (call: WatchCall) => {
        call.write(state('running'), () => {
          call.emit('error', toServiceError(new Error('this controller shuts down'), status.UNAVAILABLE));
        });
      },
    });
    const second = await controller({
      watchRollout: (call: WatchCall) => {
        call.write(state('succeeded'));
        call.end();
      },
    });
    const seen: string[] = [];
    for await (const { rollout } of operator(first.port, second.port).watchRollout(id, forever))
      seen.push(rollout.state);
    expect(seen).toEqual(['running', 'succeeded']);
  });

  it('is controller.unreachable when none answers any more', async () => {
    const first = await controller({ watchRollout: (call: WatchCall) => void call.write(state('running')) });
    const watch = async () => {
      for await (const _view of operator(first.port).watchRollout(id, forever)) first.kill();
    };
    await expect(watch()).rejects.toMatchObject({ code: 'controller.unreachable', exitCode: 3 });
  });

  it('ends with the signal, and with what a controller refuses', async () => {
    const { port } = await controller({
      watchRollout: (call: WatchCall) =>
        call.request.id === 'none'
          ? call.emit('error', refusal('rollout.unknown'))
          : call.write(state('running')),
    } as Handlers);
    const stop = new AbortController();
    for await (const _view of operator(port).watchRollout(id, stop.signal)) stop.abort();
    await expect(firstView(operator(port), 'none')).rejects.toMatchObject({ code: 'rollout.unknown' });
  });

  it('refuses a journal that is not one', async () => {
    const { port } = await controller({
      watchRollout: (call: WatchCall) => void call.write({ rollout: '{"id":1}', nodes: [], leader: '' }),
    });
    await expect(firstView(operator(port), id)).rejects.toMatchObject({ code: 'etcd.invalid' });
  });
});

describe('planning and starting', () => {
  const request = { targets: [], options: parseOptions({}), who: 'a@b', why: '' };
  const plan = JSON.stringify(sampleRollout([]));

  it('tells progress, and plans again where the controller died meanwhile', async () => {
    const first = await controller({
      planRollout: (call) => {
        call.write({ step: { $case: 'progress', value: { node: 'one', message: 'building' } } });
      },
    });
    const second = await controller({
      planRollout: (call) => {
        call.write({ step: { $case: 'rollout', value: plan } });
        call.end();
      },
    });
    const said: string[] = [];
    const rollout = await operator(first.port, second.port).planRollout(
      request,
      ({ node, message }) => {
        said.push(`${node} ${message}`);
        first.kill();
      },
      forever,
    );
    expect(rollout.id).toBe(id);
    expect(said).toEqual(['one building']);
  });

  it('brings the node and the log of a rejection along', async () => {
    const sent = toServiceError(
      new Problem('apply.rejected', 'one cannot build', {
        node: 'one',
        reason: 'x',
        log: ['error: x', 'at y'],
      }),
    );
    const { port } = await controller({
      planRollout: (call) => void call.emit('error', sent),
    });
    await expect(operator(port).planRollout(request, () => undefined, forever)).rejects.toMatchObject({
      code: 'apply.rejected',
      message: 'one cannot build',
      reason: 'x',
      node: 'one',
      log: ['error: x', 'at y'],
      exitCode: 4,
    });
  });

  it('is interrupted by its signal', async () => {
    const stop = new AbortController();
    const { port } = await controller({
      planRollout: (call) => {
        call.write({ step: { $case: 'progress', value: { node: 'one', message: 'building' } } });
      },
    });
    await expect(operator(port).planRollout(request, () => stop.abort(), stop.signal)).rejects.toMatchObject({
      code: 'interrupted',
    });
  });

  it('has started when the answer got lost and the rollout itself is in the way', async () => {
    let started = 0;
    const first = await controller({
      startRollout: () => {
        started += 1;
        first.kill();
      },
    });
    const second = await controller({
      startRollout: (_call, done) => {
        started += 1;
        done(refusal('rollout.locked'));
      },
      watchRollout: (call: WatchCall) => void call.write(state('running')),
    });
    await operator(first.port, second.port).startRollout(id);
    expect(started).toBe(2);
  });

  it('has not when another is in the way, or the plan is old', async () => {
    for (const code of ['rollout.locked', 'rollout.stale'] as const) {
      const { port } = await controller({
        startRollout: (_call, done) => done(refusal(code)),
        watchRollout: (call: WatchCall) => void call.write(state('planned')),
      });
      await expect(operator(port).startRollout(id)).rejects.toMatchObject({ code });
    }
  });

  it('stores what is missing of all bundles, each content once', async () => {
    const [kept, lacking] = [Buffer.from('kept'), Buffer.from('lacking')];
    const stored: string[] = [];
    const { port } = await controller({
      missingBlobs: (call, done) =>
        done(null, { sha256: call.request.sha256.filter((hash) => hash !== sha256(kept)) }),
      putBlobs: (call, done) => {
        call.on('data', (blob: PutBlobsRequest) => stored.push(blob.sha256));
        call.on('end', () => done(null, { stored: stored.length }));
      },
    });
    const contents = new Map([kept, lacking].map((content) => [sha256(content), content]));
    const bundle = { node: 'one', revision: '', files: [], contents };
    await operator(port).putBundles([bundle, { ...bundle, node: 'two' }]);
    expect(stored).toEqual([sha256(lacking)]);
  });
});
