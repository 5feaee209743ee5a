import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { provisionDefaults as defaults } from '../defaults.js';
import { FastClock } from '../testing/fast-clock.js';
import { waitActions } from './actions.js';
import { HetznerClient } from './client.js';

type Step = (request: IncomingMessage, response: ServerResponse) => void;

const json =
  (status: number, body: object, headers: Record<string, string> = {}): Step =>
  (_, response) =>
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));
const failing = (status: number, code: string, headers?: Record<string, string>) =>
  json(status, { error: { code, message: `says ${code}`, details: null } }, headers);
const html =
  (status: number): Step =>
  (_, response) =>
    response.writeHead(status, { 'Content-Type': 'text/html' }).end('<h1>no</h1>');
const cut: Step = (request) => request.socket.destroy();
const good = json(200, { answer: 42 });
const schema = z.object({ answer: z.number() });

/** A server that answers by the script; the last step repeats. */
async function scripted(...steps: Step[]) {
  const seen: string[] = [];
  const http = createServer((request, response) => {
    const step = steps[Math.min(seen.length, steps.length - 1)];
    seen.push(`${request.method} ${request.url}`);
    step?.(request, response);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    http.close();
    http.closeAllConnections();
  });
  const clock = new FastClock();
  const endpoint = `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1/`;
  return { seen, clock, client: new HetznerClient({ token: 'secret', endpoint, clock }) };
}

describe('HetznerClient.request', () => {
  it.each<[string, Step]>([
    ['a gateway without JSON', html(502)],
    ['a gateway with JSON', failing(504, 'timeout')],
    ['a cut connection', cut],
    ['a conflict', failing(409, 'conflict')],
    ['a busy object', failing(423, 'locked')],
    ['the rate limit', failing(429, 'rate_limit_exceeded')],
  ])('asks again after %s', async (_, step) => {
    const { client, seen, clock } = await scripted(step, step, good);
    expect(await client.request('GET', '/x', { schema })).toEqual({ answer: 42 });
    expect(seen).toEqual(['GET /v1/x', 'GET /v1/x', 'GET /v1/x']);
    expect(clock.pauses).toEqual([defaults.retryBaseMs * 0.75, defaults.retryBaseMs * 1.5]);
  });

  it.each<[string, Step]>([
    ['a gateway', html(502)],
    ['a server error', failing(500, 'server_error')],
    ['a cut connection', cut],
  ])('never repeats a POST after %s', async (_, step) => {
    const { client, seen } = await scripted(step, good);
    const sent = client.request('POST', '/servers', { body: {}, schema });
    await expect(sent).rejects.toMatchObject({ code: 'provider.unreachable' });
    expect(seen).toHaveLength(1);
  });

  it('repeats a POST that was surely not carried out', async () => {
    const { client, seen } = await scripted(
      failing(429, 'rate_limit_exceeded'),
      failing(423, 'locked'),
      good,
    );
    await client.request('POST', '/servers', { body: {}, schema });
    expect(seen).toHaveLength(3);
  });

  it('gives up in the end', async () => {
    const dead = await scripted(html(503));
    await expect(dead.client.request('GET', '/x')).rejects.toMatchObject({ code: 'provider.unreachable' });
    expect(dead.seen).toHaveLength(defaults.attempts);
    const busy = await scripted(failing(423, 'locked'));
    await expect(busy.client.request('DELETE', '/x')).rejects.toThrow();
    expect(busy.clock.now()).toBeGreaterThanOrEqual(defaults.busyMs);
    expect(busy.clock.now()).toBeLessThan(defaults.busyMs + defaults.retryMaxMs);
  });

  it('lets one rate limit hold back the others too', async () => {
    const limited = failing(429, 'rate_limit_exceeded', { 'Retry-After': '30' });
    const { client, clock } = await scripted(limited, good);
    await client.request('GET', '/x', { schema });
    expect(clock.now()).toBe(30_000);
  });

  it.each([
    [401, 'unauthorized', 'provider.auth'],
    [401, 'token_readonly', 'provider.auth'],
    [403, 'resource_limit_exceeded', 'provider.quota'],
    [412, 'resource_unavailable', 'provider.unavailable'],
    [422, 'invalid_input', 'provider.rejected'],
  ])('tells %i %s as %s, at once', async (status, code, expected) => {
    const { client, seen } = await scripted(failing(status, code, { 'X-Correlation-Id': 'abc' }));
    await expect(client.request('GET', '/x')).rejects.toMatchObject({
      code: expected,
      where: 'GET /x',
      reason: `says ${code} (${code}), request abc`,
    });
    expect(seen).toHaveLength(1);
  });

  it('does not follow a redirect, which would carry the token away', async () => {
    const away: Step = (_, response) =>
      response.writeHead(302, { Location: 'http://127.0.0.1:1/elsewhere' }).end();
    const { client } = await scripted(away);
    await expect(client.request('GET', '/x')).rejects.toMatchObject({ code: 'provider.unreachable' });
  });

  it('says so when the answer is not of this API', async () => {
    const { client } = await scripted(json(200, { answer: 'many' }), html(200));
    await expect(client.request('GET', '/x', { schema })).rejects.toMatchObject({
      code: 'provider.rejected',
    });
    await expect(client.request('GET', '/x', { schema })).rejects.toMatchObject({
      code: 'provider.rejected',
    });
  });

  it('keeps to a few requests at once', async () => {
    let open = 0;
    let most = 0;
    const slow: Step = (request, response) => {
      open += 1;
      most = Math.max(most, open);
      setImmediate(() => {
        open -= 1;
        good(request, response);
      });
    };
    const { client } = await scripted(slow);
    await Promise.all(Array.from({ length: 40 }, () => client.request('GET', '/x')));
    expect(most).toBeLessThanOrEqual(defaults.parallelRequests);
    expect(most).toBeGreaterThan(1);
  });

  it('refuses a token or an endpoint that cannot be one', () => {
    expect(() => new HetznerClient({ token: '' })).toThrow('HCLOUD_TOKEN');
    expect(() => new HetznerClient({ token: 'a\nb' })).toThrow('HCLOUD_TOKEN');
    expect(() => new HetznerClient({ token: 'a', endpoint: 'file:///etc' })).toThrow('URL');
  });
});

describe('HetznerClient.list', () => {
  const page = (rows: number[], next_page: number | null) =>
    json(200, { rows, meta: { pagination: { next_page } } });

  it('reads all pages', async () => {
    const { client, seen } = await scripted(page([1, 2], 2), page([3], null));
    expect(await client.list('/x', 'rows', z.number(), { id: ['7', '8'] })).toEqual([1, 2, 3]);
    expect(seen).toEqual([
      'GET /v1/x?id=7&id=8&page=1&per_page=50',
      'GET /v1/x?id=7&id=8&page=2&per_page=50',
    ]);
  });

  it('ends with a list that does not', async () => {
    const { client } = await scripted(page([1], 1));
    await expect(client.list('/x', 'rows', z.number())).rejects.toMatchObject({ code: 'provider.rejected' });
  });

  it('does not take a missing list for an empty one', async () => {
    const { client } = await scripted(json(200, {}));
    await expect(client.list('/x', 'rows', z.number())).rejects.toMatchObject({ code: 'provider.rejected' });
  });
});

describe('waitActions', () => {
  const action = (id: number, status: 'running' | 'success' | 'error') => ({
    id,
    command: 'start_server',
    status,
    error: status === 'error' ? { code: 'action_failed', message: 'Action failed' } : null,
    resources: [],
  });
  const pending = [1, 2].map((id) => ({ node: `worker00${id}`, action: action(id, 'running') }));
  const poll = (...actions: object[]) => json(200, { actions });

  it('polls all that are pending together, and only those', async () => {
    const { client, seen } = await scripted(
      poll(action(1, 'success'), action(2, 'running')),
      poll(action(2, 'success')),
    );
    await waitActions(client, pending);
    expect(seen).toEqual([
      'GET /v1/actions?id=1&id=2&page=1&per_page=50',
      'GET /v1/actions?id=2&page=1&per_page=50',
    ]);
  });

  it('fails with the node and the reason', async () => {
    const { client } = await scripted(poll(action(1, 'success'), action(2, 'error')));
    await expect(waitActions(client, pending)).rejects.toMatchObject({
      code: 'provider.action-failed',
      node: 'worker002',
      reason: 'Action failed (action_failed)',
    });
  });

  it('fails when an action is forgotten or never ends', async () => {
    const forgotten = await scripted(poll(action(1, 'success')));
    await expect(waitActions(forgotten.client, pending)).rejects.toThrow('forgot');
    const endless = await scripted(poll(action(1, 'running'), action(2, 'running')));
    await expect(waitActions(endless.client, pending)).rejects.toThrow('does not finish');
    expect(endless.clock.now()).toBeGreaterThan(defaults.actionMs);
  });
});
