/** One HTTP request from the wire to the handler and back: authenticate, limit, strike faults, route, commit, answer. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError, apiErrors } from '../api-error.js';
import { labApiDefaults } from '../defaults.js';
import { requestFault } from '../faults.js';
import { routes } from '../routes.js';
import type { Runner } from '../runner/runner.js';
import type { LabState, RequestFault, Token } from '../state.js';
import type { Store } from '../store.js';
import type { World } from '../world.js';
import type { RateLimiter } from './rate-limit.js';
import { matchRoute, type Outcome } from './route.js';

export interface ListenerDeps {
  store: Store;
  runner: Runner;
  world: World;
  limiter: RateLimiter;
  /** Told of what no client caused. */
  onFailure(what: string, error: unknown): void;
}

type Answer =
  | { kind: 'outcome'; outcome: Outcome }
  | { kind: 'fault'; fault: RequestFault }
  | { kind: 'lost' };

export async function answer(
  deps: ListenerDeps,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', `http://${request.headers.host ?? 'localhost'}`);
  response.setHeader('X-Correlation-Id', randomBytes(8).toString('hex'));
  response.setHeader('Access-Control-Allow-Origin', '*');
  try {
    const result = await decide(deps, request, response, url);
    if (result.kind === 'lost') request.socket.destroy();
    else if (result.kind === 'fault') sendFault(response, result.fault);
    else sendOutcome(response, url, result.outcome);
  } catch (error) {
    const known = error instanceof ApiError ? error : undefined;
    if (!known) deps.onFailure(`${request.method} ${url.pathname}`, error);
    const failure = known ?? new ApiError(500, 'server_error', 'internal server error');
    send(response, failure.status, failure.toBody());
  }
}

async function decide(
  deps: ListenerDeps,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<Answer> {
  const { store, runner, world } = deps;
  const method = request.method ?? 'GET';
  const text = await readText(request);
  const { project, token } = authenticated(store.state, request);
  const isLabVerb = url.pathname.startsWith('/_lab/');
  if (!isLabVerb) takeFromBudget(deps.limiter, project, response);
  if (method !== 'GET' && token.access === 'read') throw apiErrors.readonly();

  const struck = requestFault(store.state, project, method, url.pathname);
  if (struck.fault && !isLabVerb) {
    store.commit(struck.state);
    if (struck.fault.effect === 'refuse') return { kind: 'fault', fault: struck.fault };
  }

  const { handler, params } = matchRoute(routes, method, url.pathname);
  if (method === 'GET' && /^\/(v1\/servers|_lab\/state)/.test(url.pathname)) await runner.reconcile();
  const input = { project, params, query: url.searchParams, body: parseBody(text) };
  const outcome = handler(store.state, input, world);
  if (outcome.state) store.commit(outcome.state);
  if (outcome.effect) await runner.effect(outcome.effect);
  runner.wake();
  return struck.fault && !isLabVerb ? { kind: 'lost' } : { kind: 'outcome', outcome };
}

function authenticated(state: LabState, request: IncomingMessage): { project: string; token: Token } {
  const given = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  for (const project of state.projects) {
    const token = project.tokens.find((candidate) => candidate.token === given);
    if (token) return { project: project.name, token };
  }
  throw apiErrors.unauthorized();
}

function takeFromBudget(limiter: RateLimiter, project: string, response: ServerResponse): void {
  const verdict = limiter.take(project, Date.now());
  for (const [name, value] of Object.entries(verdict.headers)) response.setHeader(name, value);
  if (!verdict.allowed) throw apiErrors.rateLimit(Number(verdict.headers['RateLimit-Limit']));
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    // The rest is still read, and thrown away, so that the client gets the answer and not a broken pipe.
    if (size <= labApiDefaults.maxBodyBytes) chunks.push(chunk);
  }
  if (size > labApiDefaults.maxBodyBytes) {
    throw new ApiError(413, 'invalid_input', 'request body is too large');
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseBody(text: string): object {
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw apiErrors.json();
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw apiErrors.json();
  return value;
}

function sendOutcome(response: ServerResponse, url: URL, outcome: Outcome): void {
  const { prev, next, last } = outcome.pages ?? { prev: null, next: null, last: null };
  const links = Object.entries({ prev, next, last })
    .filter(([, page]) => page !== null)
    .map(([rel, page]) => {
      const target = new URL(url);
      target.searchParams.set('page', String(page));
      return `<${target.href}>; rel="${rel}"`;
    });
  if (links.length > 0) response.setHeader('Link', links.join(', '));
  send(response, outcome.status, outcome.body);
}

function sendFault(response: ServerResponse, fault: RequestFault): void {
  for (const [name, value] of Object.entries(fault.headers)) response.setHeader(name, value);
  if (fault.code !== null) {
    send(response, fault.status, new ApiError(fault.status, fault.code, fault.message).toBody());
    return;
  }
  response.writeHead(fault.status, { 'Content-Type': 'text/plain; charset=utf-8' });
  response.end(`${fault.message}\n`);
}

/** Without a body there must be no content type: old clients try to parse the nothing. */
function send(response: ServerResponse, status: number, body?: object): void {
  if (body === undefined) {
    response.writeHead(status);
    response.end();
    return;
  }
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}
