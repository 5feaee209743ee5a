/**
 * A ledger of requests: a steady rate against one URL, every request recorded, every failure explained.
 * Open loop (a slow answer does not slow the rate), with keep-alive, because reused connections are what a reload breaks.
 */
import { Agent, get } from 'node:http';

export interface LedgerEntry {
  /** Milliseconds since the start. */
  at: number;
  ms: number;
  /** HTTP status, or 0 when there was no answer. */
  status: number;
  /** What went wrong; undefined for a 2xx answer. */
  failure?: string;
  body: string;
}

export interface Ledger {
  readonly entries: readonly LedgerEntry[];
  /** Ends the load, waits for open requests, and returns every entry. */
  stop(): Promise<readonly LedgerEntry[]>;
}

/** A request that has no answer after this long counts as failed: longer than haproxy's retries, shorter than patience. */
const REQUEST_TIMEOUT_MS = 5_000;

export function startLedger(url: string, perSecond: number): Ledger {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const started = performance.now();
  const entries: LedgerEntry[] = [];
  const open = new Set<Promise<void>>();

  const fire = () => {
    const at = performance.now() - started;
    const request = new Promise<void>((resolve) => {
      const done = (status: number, body: string, failure?: string) => {
        entries.push({
          at,
          ms: performance.now() - started - at,
          status,
          body,
          ...(failure ? { failure } : {}),
        });
        resolve();
      };
      const outgoing = get(url, { agent, timeout: REQUEST_TIMEOUT_MS }, (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        answer.on('end', () => {
          const status = answer.statusCode ?? 0;
          done(status, body, status >= 200 && status < 300 ? undefined : `status ${status}`);
        });
        answer.on('error', (error) => done(0, body, error.message));
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer in ${REQUEST_TIMEOUT_MS} ms`)));
      outgoing.on('error', (error) => done(0, '', error.message));
    });
    open.add(request);
    void request.finally(() => open.delete(request));
  };

  const timer = setInterval(fire, 1_000 / perSecond);
  return {
    entries,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      agent.destroy();
      return entries;
    },
  };
}

export interface LedgerSummary {
  requests: number;
  failed: number;
  /** Slowest request, milliseconds. */
  slowest: number;
  /** Failures grouped by cause. */
  causes: Readonly<Record<string, number>>;
}

export function summarise(entries: readonly LedgerEntry[]): LedgerSummary {
  const causes: Record<string, number> = {};
  for (const { failure } of entries) if (failure) causes[failure] = (causes[failure] ?? 0) + 1;
  return {
    requests: entries.length,
    failed: Object.values(causes).reduce((sum, count) => sum + count, 0),
    slowest: Math.round(Math.max(0, ...entries.map((entry) => entry.ms))),
    causes,
  };
}
