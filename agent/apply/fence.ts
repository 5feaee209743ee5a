/** Whether an order that arrives is carried out: each at most once, and none of a leader that has been followed. Pure. */

export interface OrderMark {
  id: string;
  /** Fencing token of the leader that gave it. */
  token: number;
  /** etcd revision of its last write. */
  change: number;
}

export interface SeenOrders {
  /** Highest token seen, and the highest change seen under it. */
  token: number;
  change: number;
  /** Orders whose result is known here. */
  ended: readonly string[];
  /** The order that is being carried out. */
  running?: string | undefined;
}

/** `refuse`: of the past; `repeat`: tell its result again; `running`: nothing to do; `take`: carry it out. */
export type OrderVerdict = 'refuse' | 'repeat' | 'running' | 'take';

export function judgeOrder(order: OrderMark, seen: SeenOrders): OrderVerdict {
  if (order.token < seen.token) return 'refuse';
  if (order.token === seen.token && order.change < seen.change) return 'refuse';
  if (order.id === seen.running) return 'running';
  return seen.ended.includes(order.id) ? 'repeat' : 'take';
}

/** The highest mark seen, after this order. An order that was refused must not come here. */
export function raise(
  seen: { token: number; change: number },
  order: OrderMark,
): { token: number; change: number } {
  if (order.token > seen.token) return { token: order.token, change: order.change };
  return { token: seen.token, change: Math.max(seen.change, order.change) };
}
