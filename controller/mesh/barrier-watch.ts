/** Follows one barrier: tells its state at once and at every change, until it is reached. */
import type { Barrier, BarrierReply } from '../../proto/gen/nixinfra/v1/agent.js';
import { waitingFor } from './barrier.js';
import type { MeshView } from './mesh-view.js';

/** Ends by itself when the barrier is reached; the returned function ends it before. */
export function watchBarrier(
  view: Pick<MeshView, 'ready' | 'nodes' | 'onChange'>,
  { order, kind, instances }: Barrier,
  reply: (reply: BarrierReply) => void,
): () => void {
  let told: string | undefined;
  let ended = false;
  let unsubscribe = () => {};
  const end = () => {
    ended = true;
    unsubscribe();
  };
  const look = () => {
    const waiting = waitingFor(kind, instances, view.nodes());
    const text = waiting.join(' ');
    if (ended || text === told) return;
    told = text;
    if (waiting.length === 0) end();
    reply({ order, kind, reached: waiting.length === 0, waiting });
  };
  // A view that is not complete yet would call a barrier reached because it knows no node.
  void view.ready.then(() => {
    if (ended) return;
    unsubscribe = view.onChange(look);
    look();
  });
  return end;
}
