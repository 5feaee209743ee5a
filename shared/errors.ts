/**
 * The one error type for people. It says what happened, on which node, why, and what to try next.
 * `code` is stable: scripts may match on it, and docs/reference/errors.md is generated from the catalogue.
 */
import { type ErrorCode, errorCatalogue } from './error-catalogue.js';

export interface ProblemDetails {
  /** Node the problem happened on, when it happened on one. */
  node?: string;
  /** Where in the operator's input: `file:line`, option name, API path. */
  where?: string;
  /** The reason underneath, as one line. */
  reason?: string;
  /** What to do now; defaults to the catalogue's advice for the code. */
  next?: string;
  /** The last lines of the log that explains it. */
  log?: readonly string[];
  /** The error that led here, for `--debug`. */
  cause?: unknown;
}

export class Problem extends Error {
  readonly code: ErrorCode;
  readonly node: string | undefined;
  readonly where: string | undefined;
  readonly reason: string | undefined;
  readonly next: string;
  readonly log: readonly string[];

  constructor(code: ErrorCode, message: string, details: ProblemDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'Problem';
    this.code = code;
    this.node = details.node;
    this.where = details.where;
    this.reason = details.reason;
    this.next = details.next ?? errorCatalogue[code].next;
    this.log = details.log ?? [];
  }

  /** Exit code of a command that ends with this problem. */
  get exitCode(): number {
    return errorCatalogue[this.code].exit;
  }

  /** Makes a problem of anything thrown; a Problem passes through unchanged. */
  static from(thrown: unknown, code: ErrorCode = 'internal', details: ProblemDetails = {}): Problem {
    if (thrown instanceof Problem) return thrown;
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return new Problem(code, errorCatalogue[code].title, { reason, cause: thrown, ...details });
  }
}

/** The problem as a person reads it: one line each for what, where, why, log and next step. */
export function renderProblem(problem: Problem): string {
  const lines = [`ERROR: ${problem.message} [${problem.code}]`];
  if (problem.node) lines.push(`  node:  ${problem.node}`);
  if (problem.where) lines.push(`  where: ${problem.where}`);
  if (problem.reason) lines.push(`  cause: ${problem.reason}`);
  if (problem.log.length > 0) lines.push('  log:', ...problem.log.map((line) => `    | ${line}`));
  lines.push(`  next:  ${problem.next}`);
  return lines.join('\n');
}
