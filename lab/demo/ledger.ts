/**
 * A ledger of requests: a steady rate against one URL, every request recorded, every failure explained.
 * Open loop (a slow answer does not slow the rate), with keep-alive, because reused connections are what a reload breaks.
 */
import { Agent, request } from 'node:http';

export type Method = 'GET' | 'POST';

export interface LedgerEntry {
  method: Method;
  /** Path that was asked for. */
  path: string;
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
  /** Milliseconds since the start: the clock of `at`. */
  now(): number;
  /** Ends the load, waits for open requests, and returns every entry. */
  stop(): Promise<readonly LedgerEntry[]>;
}

export interface LedgerOptions {
  /** POSTs to the same URL, beside the GETs and on the same connections: requests that nobody may send twice. */
  posts?: { perSecond: number };
  /** Requests that take long, beside the others and on the same connections. */
  slow?: {
    /** With its query, e.g. `/slow?ms=2000`. */
    path: string;
    perSecond: number;
    /** Without an answer after this long a slow request counts as failed. */
    timeoutMs: number;
  };
}

/** A request that has no answer after this long counts as failed: longer than haproxy's retries, shorter than patience. */
const REQUEST_TIMEOUT_MS = 5_000;
/**
 * Most connections of the client. An open request holds its own, and a request without one waits unseen: half of 220 per second that
 * hang until their time-out hold 550. No more are opened than are needed.
 */
const CONNECTIONS = 1_024;

/** Why there was no answer, in words that tell a reset from a refusal, a time-out and anything else. */
function causeOf(error: Error & { code?: string }): string {
  const reset = error.code === 'ECONNRESET' || error.code === 'EPIPE' || error.message === 'socket hang up';
  if (reset) return `reset (${error.message})`;
  return error.code === 'ECONNREFUSED' ? 'refused' : error.message;
}

/** Starts the load. The URL's path is what the fast requests ask for. */
export function startLedger(url: string, perSecond: number, options: LedgerOptions = {}): Ledger {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const started = performance.now();
  const entries: LedgerEntry[] = [];
  const open = new Set<Promise<void>>();

  const fire = (target: URL, timeoutMs: number, method: Method) => {
    const at = performance.now() - started;
    const path = target.pathname + target.search;
    const answered = new Promise<void>((resolve) => {
      const done = (status: number, body: string, failure?: string) => {
        clearTimeout(late);
        entries.push({
          method,
          path,
          at,
          ms: performance.now() - started - at,
          status,
          body,
          ...(failure ? { failure } : {}),
        });
        resolve();
      };
      const outgoing = request(target, { agent, method }, (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        answer.on('end', () => {
          const status = answer.statusCode ?? 0;
          done(status, body, status >= 200 && status < 300 ? undefined : `status ${status}`);
        });
        answer.on('error', (error) => done(0, body, causeOf(error)));
      });
      // A time-out of the socket would start anew with every byte.
      const late = setTimeout(() => outgoing.destroy(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
      outgoing.on('error', (error) => done(0, '', causeOf(error)));
      outgoing.end(method === 'POST' ? '{}' : undefined);
    });
    open.add(answered);
    void answered.finally(() => open.delete(answered));
  };

  /** Fires what is due by now: a timer alone falls behind on a busy machine, and the rate would be a promise not kept. */
  const pace = (target: URL, rate: number, timeoutMs: number, method: Method = 'GET') => {
    let fired = 0;
    return setInterval(() => {
      const due = Math.floor(((performance.now() - started) * rate) / 1_000);
      for (; fired < due; fired++) fire(target, timeoutMs, method);
    }, 1_000 / rate);
  };

  const { slow, posts } = options;
  const timers = [pace(new URL(url), perSecond, REQUEST_TIMEOUT_MS)];
  if (slow) timers.push(pace(new URL(slow.path, url), slow.perSecond, slow.timeoutMs));
  if (posts) timers.push(pace(new URL(url), posts.perSecond, REQUEST_TIMEOUT_MS, 'POST'));
  return {
    entries,
    now: () => performance.now() - started,
    async stop() {
      for (const timer of timers) clearInterval(timer);
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

/** A failure in words: what was asked, when it began and ended against a moment (ms on the ledger's clock), and the cause. */
export function explained({ method, path, at, ms, failure }: LedgerEntry, since = 0): string {
  const time = (moment: number) => `${moment < since ? '' : '+'}${Math.round(moment - since)}`;
  return `${method} ${path} from ${time(at)} to ${time(at + ms)} ms: ${failure ?? 'answered'}`;
}

export function failuresOf(entries: readonly LedgerEntry[], method: Method): LedgerEntry[] {
  return entries.filter((entry) => entry.method === method && entry.failure !== undefined);
}
