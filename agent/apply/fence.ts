/** Whether an order that arrives is carried out: each at most once, and none of a leader that has been followed. Pure. */

export interface OrderMark {
  id: string;
  /** Raised when etcd is restored from a snapshot, whose revisions are lower: stands above the token. */
  epoch: number;
  /** Fencing token of the leader that gave it. */
  token: number;
  /** etcd revision of its last write. */
  change: number;
}

/** The highest order seen: its epoch, the highest token of that epoch, and the highest change of that token. */
export interface Fence {
  epoch: number;
  token: number;
  change: number;
}

export interface SeenOrders extends Fence {
  /** Orders whose result is known here. */
  ended: readonly string[];
  /** The order that is being carried out. */
  running?: string | undefined;
}

/** `refuse`: of the past; `repeat`: tell its result again; `running`: nothing to do; `take`: carry it out. */
export type OrderVerdict = 'refuse' | 'repeat' | 'running' | 'take';

export function judgeOrder(order: OrderMark, seen: SeenOrders): OrderVerdict {
  if (compare(order, seen) < 0) return 'refuse';
  if (order.id === seen.running) return 'running';
  return seen.ended.includes(order.id) ? 'repeat' : 'take';
}

/** The highest mark seen, after this order. */
export function raise(seen: Fence, order: OrderMark): Fence {
  const { epoch, token, change } = compare(order, seen) > 0 ? order : seen;
  return { epoch, token, change };
}

/** Below 0: `a` is of the time before `b`. */
function compare(a: Fence, b: Fence): number {
  return a.epoch - b.epoch || a.token - b.token || a.change - b.change;
}
