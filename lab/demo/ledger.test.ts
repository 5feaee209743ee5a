import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startLedger, summarise } from './ledger.js';

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
});
