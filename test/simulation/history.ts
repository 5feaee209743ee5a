/** What happened, in order: the commits of etcd and what the nodes did. Checkers read this and nothing else. */
import type { Rollout } from '../../controller/rollout/rollout.js';
import type { DesiredValue } from '../../controller/store/shapes.js';
import type { Commit } from './etcd.js';

export type NodeEvent =
  /** The agent takes an order to carry it out, for the first time or (`again`) where it left off. */
  | {
      what: 'taken';
      node: string;
      order: string;
      revision: string;
      token: number;
      change: number;
      again: boolean;
    }
  /** Its instances leave, and they may come back. Between the two the node is away because of an order. */
  | { what: 'away'; node: string; order: string; apps: readonly string[] }
  | { what: 'back'; node: string; order: string }
  /** Another system runs now. */
  | { what: 'runs'; node: string; revision: string; why: string }
  | { what: 'ended'; node: string; order: string; outcome: string };

/** A journal that changed, and what it was before. */
export interface JournalChange {
  id: string;
  before: Rollout | undefined;
  after: Rollout | undefined;
}

export interface Committed {
  what: 'commit';
  commit: Commit;
  /** Who leads at this revision. */
  leader: { token: number; controller: string } | undefined;
  journals: readonly JournalChange[];
  /** Orders that were written. */
  orders: readonly (DesiredValue & { node: string; change: number })[];
  /** The nodes on which an app (`group/name`) was registered when the writer last listed them. */
  seen(app: string): readonly string[];
}

export type Happening = Committed | NodeEvent;

/** What became of the client's name: `controller1#2/leader`. */
export function writer({ commit }: Committed): { incarnation: string; role: string } {
  const [incarnation = '', role = ''] = commit.by.split('/');
  return { incarnation, role };
}

export class Violation extends Error {
  constructor(
    readonly checker: string,
    message: string,
  ) {
    super(`${checker}: ${message}`);
    this.name = 'Violation';
  }
}

export interface Checker {
  name: string;
  see(happening: Happening, atMs: number): void;
  /** After everything has come to rest. */
  end?(atMs: number): void;
}
