import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { explained, failuresOf, startLedger, summarise } from './ledger.js';

let server: Server | undefined;
afterEach(() => server?.close());

async function serve(answer: (count: number) => number | 'reset'): Promise<string> {
  let count = 0;
  server = createServer((request, response) => {
    const status = answer(count++);
    if (status === 'reset') request.socket.destroy();
    else response.writeHead(status).end('ok');
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

describe('ledger', () => {
  it('records every request and explains every failure', async () => {
    const url = await serve((count) => (count % 3 === 1 ? 503 : count % 3 === 2 ? 'reset' : 200));
    const ledger = startLedger(url, 200);
    await vi.waitFor(() => expect(ledger.entries.length).toBeGreaterThanOrEqual(30), 5_000);
    const summary = summarise(await ledger.stop());
    expect(summary.requests).toBeGreaterThanOrEqual(30);
    expect(summary.causes['status 503']).toBeGreaterThanOrEqual(9);
    const resets = Object.entries(summary.causes).filter(([cause]) => cause !== 'status 503');
    expect(resets.length).toBeGreaterThan(0);
    expect(summary.failed).toBe(Object.values(summary.causes).reduce((a, b) => a + b, 0));
  });

  it('counts no failure when every answer is good', async () => {
    const ledger = startLedger(await serve(() => 200), 200);
    await vi.waitFor(() => expect(ledger.entries.length).toBeGreaterThanOrEqual(10), 5_000);
    expect(summarise(await ledger.stop())).toMatchObject({ failed: 0, causes: {} });
  });

  it('sends POSTs beside the GETs, and says when a failure was', async () => {
    server = createServer((request, response) => {
      request.resume();
      response.writeHead(request.method === 'POST' ? 503 : 200).end('ok');
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const ledger = startLedger(url, 50, { posts: { perSecond: 50 } });
    await vi.waitFor(() => expect(ledger.entries.length).toBeGreaterThanOrEqual(10), 5_000);
    const until = ledger.now();
    const entries = await ledger.stop();
    expect(failuresOf(entries, 'GET')).toEqual([]);
    const [first, ...more] = failuresOf(entries, 'POST');
    expect(more.length).toBeGreaterThanOrEqual(3);
    expect(first?.at).toBeLessThan(until);
    if (first)
      expect(explained({ ...first, at: 100, ms: 50 }, 120)).toBe('POST / from -20 to +30 ms: status 503');
  });

  it('asks for slow answers beside the others and tells a reset, a status and a time-out apart', async () => {
    server = createServer((request, response) => {
      if (request.url === '/') response.end('ok');
      else if (request.url === '/slow?ms=100') setTimeout(() => response.end('late'), 100);
      else request.socket.destroy();
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const run = async (path: string, timeoutMs: number) => {
      const ledger = startLedger(url, 50, { slow: { path, perSecond: 50, timeoutMs } });
      await vi.waitFor(
        () => expect(ledger.entries.filter((one) => one.path === path).length).toBeGreaterThanOrEqual(3),
        5_000,
      );
      const entries = await ledger.stop();
      return { slow: summarise(entries.filter((one) => one.path === path)), all: summarise(entries) };
    };
    const good = await run('/slow?ms=100', 2_000);
    expect(good.all).toMatchObject({ failed: 0, causes: {} });
    expect(good.slow.slowest).toBeGreaterThanOrEqual(99);
    const late = await run('/slow?ms=100', 20);
    expect(Object.keys(late.all.causes)).toEqual(['no answer in 20 ms']);
    expect(late.all.failed).toBe(late.slow.requests);
    const reset = await run('/gone', 2_000);
    expect(Object.keys(reset.all.causes)).toEqual(['reset (socket hang up)']);
    expect(reset.all.failed).toBe(reset.slow.requests);
  });
});
