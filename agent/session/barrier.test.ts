import { expect, it } from 'vitest';
import { BarrierKind } from '../../proto/gen/nixinfra/v1/agent.js';
import { Barriers } from './barrier.js';
import type { Event } from './link.js';

const instances = [{ group: 'frontends', app: 'hello', id: 'worker001', address: '10.10.3.0:80' }];
const reply = (reached: boolean, more: object = {}) => ({
  order: 'o1',
  kind: BarrierKind.BARRIER_KIND_DROPPED,
  reached,
  waiting: ['a', 'b'],
  ...more,
});

function barriers() {
  const sent: Event[] = [];
  return { sent, barriers: new Barriers((event) => sent.push(event)) };
}

it('is asked again on a new connection and ends when reached', async () => {
  const { sent, barriers: all } = barriers();
  const end = all.wait('o1', 'dropped', instances, 5_000);
  all.onReply(reply(false));
  all.onOpen();
  expect(sent).toHaveLength(2);
  all.onReply(reply(true));
  expect(await end).toEqual({ reached: true, waiting: [] });
  all.onOpen();
  expect(sent).toHaveLength(2);
});

it('is not ended by the answer to another question', async () => {
  const { barriers: all } = barriers();
  const end = all.wait('o1', 'dropped', instances, 30);
  all.onReply(reply(true, { order: 'o0' }));
  all.onReply(reply(true, { kind: BarrierKind.BARRIER_KIND_SERVED }));
  all.onReply(reply(false));
  expect(await end).toEqual({ reached: false, waiting: ['a', 'b'] });
});

it('has nothing to wait for without instances', async () => {
  const { sent, barriers: all } = barriers();
  expect(await all.wait('o1', 'served', [], 5_000)).toEqual({ reached: true, waiting: [] });
  expect(sent).toEqual([]);
});
