/** Pure: the routes of this node as the runtime path needs them. */
import type { Entry } from '../../shared/etcd/store.js';
import { readRoutes, type Subscriber } from './routes.js';

/** Where the keys of the mesh are. */
export const clusterPrefix = '/cluster/';

/** One backend of haproxy, the listener that leads to it, and who belongs behind it. */
export interface ExpectedBackend {
  backend: string;
  listener: string;
  servers: readonly { id: string; address: string }[];
}

/** The routes of this node as of one revision of etcd. */
export interface Expected {
  backends: readonly ExpectedBackend[];
  revision: number;
}

/** What the keys below `clusterPrefix` mean for this node. */
export function readExpected(entries: readonly Entry[], subscriber: Subscriber, revision: number): Expected {
  return { backends: readRoutes(entries, subscriber).routes, revision };
}
