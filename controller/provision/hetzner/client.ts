/** Hetzner's API as calls: paging, retries and the rate limit. It knows requests, not what they are for. */
import { z } from 'zod';
import { Problem } from '../../../shared/errors.js';
import { backoff, type Clock, systemClock } from '../clock.js';
import { provisionDefaults as defaults } from '../defaults.js';
import { type Failure, failureKind, problemOf, readFailure } from './failure.js';
import { paging } from './wire.js';

export interface HetznerClientOptions {
  /** Token of the project, read and write. */
  token: string;
  /** Base URL with `/v1`; default Hetzner's. */
  endpoint?: string;
  /** Default: the system's. */
  clock?: Clock;
}

export interface RequestOptions<T> {
  /** What the answer must look like; default: nothing is read. */
  schema?: z.ZodType<T>;
  body?: object;
  /** May be carried out twice without harm; default: every method but POST. Others end at the first doubt. */
  repeatable?: boolean;
  /** Node it is for, for messages. */
  node?: string;
}

export type Query = Readonly<Record<string, string | readonly string[]>>;

export class HetznerClient {
  readonly clock: Clock;
  private readonly endpoint: string;
  private readonly token: string;
  /** No request starts before this time: what one learnt about the rate limit holds for all. */
  private pausedUntil = 0;
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor({ token, endpoint = defaults.endpoint, clock = systemClock }: HetznerClientOptions) {
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw new Problem('provider.auth', 'HCLOUD_TOKEN is empty or has characters that no token has');
    }
    if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint)) {
      throw new Problem('provider.rejected', `"${endpoint.slice(0, 200)}" is not the URL of an API`, {
        where: 'HCLOUD_ENDPOINT',
      });
    }
    this.endpoint = endpoint.replace(/\/+$/, '');
    this.token = token;
    this.clock = clock;
  }

  /** All rows below `key`, over all pages. */
  async list<T>(path: string, key: string, row: z.ZodType<T>, query: Query = {}): Promise<T[]> {
    const schema = pageOf(key, row);
    const rows: T[] = [];
    for (let page = 1; ; ) {
      const search = searchOf({ ...query, page: String(page), per_page: String(defaults.perPage) });
      const answer = await this.request('GET', `${path}?${search}`, { schema });
      rows.push(...answer.rows);
      const next = answer.meta?.pagination?.next_page ?? undefined;
      if (next === undefined) return rows;
      if (next <= page || next > defaults.maxPages) {
        throw new Problem('provider.rejected', 'The cloud sends a list without an end', { where: path });
      }
      page = next;
    }
  }

  /** One request with its retries. Throws an ApiProblem for the failure that remains. */
  async request<T = undefined>(method: string, path: string, options: RequestOptions<T> = {}): Promise<T> {
    const { repeatable = method !== 'POST', schema, body, node } = options;
    const { clock } = this;
    const started = clock.now();
    for (let attempt = 0; ; attempt += 1) {
      const sent = await this.send(method, path, body);
      if (!('failed' in sent)) return checked(schema, sent.text, method, path);
      const kind = failureKind(sent.failed);
      const elapsed = clock.now() - started;
      const goesOn =
        (kind === 'limited' && elapsed < defaults.rateLimitMs) ||
        (kind === 'busy' && elapsed < defaults.busyMs) ||
        (kind === 'unsure' && repeatable && attempt + 1 < defaults.attempts);
      if (!goesOn) throw problemOf(sent.failed, node);
      const pause = this.pause(attempt);
      if (kind === 'limited') {
        const asked = Math.min(sent.retryAfterMs, defaults.rateLimitMs);
        this.pausedUntil = Math.max(this.pausedUntil, clock.now() + Math.max(pause, asked));
      } else await clock.sleep(pause);
    }
  }

  /** Pause after attempt `n` (from 0), with jitter. */
  pause(n: number): number {
    return backoff(n, defaults.retryBaseMs, defaults.retryMaxMs, this.clock.random());
  }

  private async send(
    method: string,
    path: string,
    body: object | undefined,
  ): Promise<{ text: string } | { failed: Failure; retryAfterMs: number }> {
    await this.turn();
    try {
      const response = await fetch(`${this.endpoint}${path}`, {
        method,
        headers: {
          Authorization: `Bearer ${this.token}`,
          Accept: 'application/json',
          'User-Agent': 'nix-infra',
          ...(body ? { 'Content-Type': 'application/json' } : {}),
        },
        // A redirect would carry the token to wherever it points.
        redirect: 'error',
        signal: AbortSignal.timeout(defaults.requestTimeoutMs),
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      const text = await response.text();
      if (response.ok) return { text };
      const seconds = Number(response.headers.get('retry-after'));
      return {
        failed: readFailure(method, path, response, text),
        retryAfterMs: seconds > 0 ? seconds * 1000 : 0,
      };
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const message = cause instanceof Error ? cause.message || cause.name : String(cause);
      return { failed: { method, path, status: 0, code: '', message }, retryAfterMs: 0 };
    } finally {
      this.running -= 1;
      this.waiting.shift()?.();
    }
  }

  /** Waits for a free place, then for the end of a rate limit. */
  private async turn(): Promise<void> {
    while (this.running >= defaults.parallelRequests) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    this.running += 1;
    for (let left = this.left(); left > 0; left = this.left()) await this.clock.sleep(left);
  }

  private left(): number {
    return this.pausedUntil - this.clock.now();
  }
}

/** One page, whatever the API calls its rows. */
function pageOf<T>(key: string, row: z.ZodType<T>) {
  const renamed = (answer: unknown) =>
    typeof answer === 'object' && answer !== null
      ? { ...answer, rows: (answer as Record<string, unknown>)[key] }
      : answer;
  return z.preprocess(renamed, paging.extend({ rows: z.array(row) }));
}

/** Query parameters as the API reads them; a list repeats its key. */
export function searchOf(query: Query): string {
  const pairs = Object.entries(query).flatMap(([key, value]) =>
    (typeof value === 'string' ? [value] : value).map((each): [string, string] => [key, each]),
  );
  return new URLSearchParams(pairs).toString();
}

function checked<T>(schema: z.ZodType<T> | undefined, text: string, method: string, path: string): T {
  if (!schema) return undefined as T;
  const where = `${method} ${path}`;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw Problem.from(error, 'provider.rejected', { where, next: 'check that HCLOUD_ENDPOINT ends in /v1' });
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  throw new Problem('provider.rejected', 'The cloud answered with something that nix-infra cannot read', {
    where,
    reason: z.prettifyError(result.error),
    next: 'check that HCLOUD_ENDPOINT is the API of Hetzner Cloud; else this version of nix-infra is too old',
  });
}
