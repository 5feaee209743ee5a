/** What a route is: a row of data. Handlers are pure; the listener commits the state they return. */
import { apiErrors } from '../api-error.js';
import type { LabState } from '../state.js';
import type { World } from '../world.js';

export interface ApiRequest {
  /** Project of the token. */
  project: string;
  /** Values of `:id` and `:name` in the path. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  /** Parsed JSON body; `{}` when there was none. */
  body: object;
}

/** Something only the driver can do, asked for by a lab verb and done before the answer goes out. */
export interface Effect {
  verb: 'kill' | 'cut' | 'heal' | 'start';
  server: number;
  /** For `cut`: the servers that it is cut from; none is the whole cable. */
  from: readonly number[];
}

export interface Outcome {
  status: number;
  /** Absent for 204. */
  body?: object;
  /** Next state, when the request changed something. */
  state?: LabState;
  effect?: Effect;
  /** Neighbouring pages, for the Link header. */
  pages?: { prev: number | null; next: number | null; last: number };
}

export type Handler = (state: LabState, request: ApiRequest, world: World) => Outcome;

export interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Path below the host; `:id` takes a number, `:name` one segment. */
  path: string;
  handler: Handler;
}

export interface Match {
  handler: Handler;
  params: Readonly<Record<string, string>>;
}

/** Finds the route; throws `not_found` for a strange path and `method_not_allowed` for a strange method. */
export function matchRoute(routes: readonly Route[], method: string, path: string): Match {
  let pathKnown = false;
  for (const route of routes) {
    const params = matchPath(route.path, path);
    if (!params) continue;
    if (route.method === method) return { handler: route.handler, params };
    pathKnown = true;
  }
  throw pathKnown ? apiErrors.method() : apiErrors.path();
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? '';
    if (!part.startsWith(':')) {
      if (part !== value) return undefined;
    } else if (part === ':id' || part === ':action' ? /^\d{1,15}$/.test(value) : value !== '') {
      params[part.slice(1)] = value;
    } else return undefined;
  }
  return params;
}

/** The numeric parameter of a path. */
export function idOf(request: ApiRequest, name: 'id' | 'action' = 'id'): number {
  return Number(request.params[name]);
}

/** Finds by the path's id within the project, or throws `not_found`. */
export function owned<T extends { id: number; project: string }>(
  items: readonly T[],
  request: ApiRequest,
  noun: string,
): T {
  const id = idOf(request);
  const found = items.find((item) => item.id === id && item.project === request.project);
  if (found) return found;
  throw apiErrors.notFound(noun, id);
}
