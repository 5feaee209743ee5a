/** What a failed request means: pure decisions about an answer. */
import type { ErrorCode } from '../../../shared/error-catalogue.js';
import { Problem } from '../../../shared/errors.js';
import { failure } from './wire.js';

/** A request that did not succeed. `status` 0: no answer came. */
export interface Failure {
  method: string;
  path: string;
  status: number;
  /** Hetzner's code; empty when the answer had none. */
  code: string;
  message: string;
  /** Correlation id, for the provider's support. */
  requestId?: string | undefined;
}

/**
 * What to do about a failure: `busy` and `limited` were surely not carried out and are asked again whatever they are;
 * `unsure` may have been carried out, so only what may happen twice is asked again; `final` is the answer.
 */
export type FailureKind = 'busy' | 'limited' | 'unsure' | 'final';

export function failureKind({ status, code }: Pick<Failure, 'status' | 'code'>): FailureKind {
  if (status === 429 || code === 'rate_limit_exceeded') return 'limited';
  if (code === 'conflict' || code === 'locked') return 'busy';
  return status === 0 || status >= 500 ? 'unsure' : 'final';
}

export function readFailure(method: string, path: string, response: Response, text: string): Failure {
  const parsed = failure.safeParse(jsonOf(text));
  const requestId = response.headers.get('x-correlation-id') ?? undefined;
  const { code, message } = parsed.success
    ? parsed.data.error
    : { code: '', message: `HTTP ${response.status} ${response.statusText}`.trimEnd() };
  return { method, path, status: response.status, code, message, requestId };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const byCode: Readonly<Record<string, ErrorCode>> = {
  unauthorized: 'provider.auth',
  token_readonly: 'provider.auth',
  forbidden: 'provider.auth',
  resource_limit_exceeded: 'provider.quota',
  placement_group_member_limit_reached: 'provider.quota',
  resource_unavailable: 'provider.unavailable',
  placement_error: 'provider.unavailable',
  no_space_left_in_location: 'provider.unavailable',
};

/** An error that still knows the failure, for callers who can do something about one kind. */
export class ApiProblem extends Problem {
  constructor(
    code: ErrorCode,
    message: string,
    readonly failure: Failure,
  ) {
    const { method, path, requestId } = failure;
    const reason = [failure.message, failure.code && `(${failure.code})`].filter(Boolean).join(' ');
    super(code, message, {
      where: `${method} ${path}`,
      reason: requestId ? `${reason}, request ${requestId}` : reason,
    });
  }
}

export function problemOf(failed: Failure, node?: string): ApiProblem {
  const isDown = failureKind(failed) !== 'final';
  const code = byCode[failed.code] ?? (failed.status === 401 ? 'provider.auth' : undefined);
  const what = node === undefined ? 'the request' : `the request for ${node}`;
  if (code) return new ApiProblem(code, `The cloud refused ${what}: ${failed.message}`, failed);
  return isDown
    ? new ApiProblem('provider.unreachable', `The cloud API does not answer ${what}`, failed)
    : new ApiProblem('provider.rejected', `The cloud refused ${what}: ${failed.message}`, failed);
}

/** True for a problem that says the API answered with this code. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof ApiProblem && error.failure.code === code;
}
