import { expect, it, vi } from 'vitest';
import type { Condition, Write } from '../../shared/etcd/store.js';
import { controllerDefaults as defaults } from '../defaults.js';
import { FencedWriter } from './fenced-writer.js';

/** etcd with one fence key; `fail` makes the next calls throw. */
function world() {
  const state = { fence: 1, fail: 0, written: [] as string[] };
  const troubles: string[] = [];
  const writer = new FencedWriter({
    etcd: {
      transact: async ([condition]: readonly Condition[], [write]: readonly Write[]) => {
        if (state.fail > 0) {
          state.fail -= 1;
          throw new Error('no answer');
        }
        if (!condition || !('modRevision' in condition) || condition.modRevision !== state.fence)
          return false;
        if (write?.do === 'put') state.written.push(`${write.key}=${write.value.toString()}`);
        return true;
      },
    },
    fenceKey: '/session',
    onTrouble: (key) => troubles.push(key),
  });
  return { state, writer, troubles };
}

it('writes nothing before the session key is its own, then the newest of each key', async () => {
  const { state, writer } = world();
  writer.put('/a', '1');
  writer.put('/a', '2');
  writer.put('/b', '1');
  await Promise.resolve();
  expect(state.written).toEqual([]);
  writer.fencedBy(1);
  await vi.waitFor(() => expect(state.written).toEqual(['/a=2', '/b=1']));
});

it('does not write over a successor', async () => {
  const { state, writer } = world();
  writer.fencedBy(1);
  state.fence = 2;
  writer.put('/a', 'old');
  writer.put('/a', 'older');
  writer.fencedBy(undefined);
  await new Promise((resolve) => setImmediate(resolve));
  expect(state.written).toEqual([]);
});

it('writes everything again when it lost the session key and got it back', async () => {
  const { state, writer } = world();
  writer.fencedBy(1);
  writer.put('/a', '1');
  await vi.waitFor(() => expect(state.written).toHaveLength(1));
  state.fence = 7;
  writer.put('/b', '1');
  await new Promise((resolve) => setImmediate(resolve));
  expect(state.written).toEqual(['/a=1']);
  writer.fencedBy(7);
  await vi.waitFor(() => expect(state.written.toSorted()).toEqual(['/a=1', '/a=1', '/b=1']));
});

it('goes on by itself after a failed call', async () => {
  const { state, writer, troubles } = world();
  state.fail = 1;
  writer.fencedBy(1);
  writer.put('/a', '1');
  await vi.waitFor(() => expect(state.written).toEqual(['/a=1']), defaults.writeRetryMs * 4);
  expect(troubles).toEqual(['/a']);
});

it('does not keep what is too large for etcd', async () => {
  const { state, writer, troubles } = world();
  writer.fencedBy(1);
  writer.put('/a', 'x'.repeat(defaults.valueBytes + 1));
  writer.put('/b', '1');
  await vi.waitFor(() => expect(state.written).toEqual(['/b=1']));
  expect(troubles).toEqual(['/a']);
});
