/** Problems as gRPC statuses. The code travels in the details, so that the command line can show the same problem. */
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import type { ErrorCode } from '../../shared/error-catalogue.js';
import { Problem } from '../../shared/errors.js';

/** 20 lines of 200 characters stay below gRPC's usual 8 KiB of metadata. */
const LOG_LINES = 20;
const LOG_LINE_CHARS = 200;

const statusOf: Partial<Record<ErrorCode, status>> = {
  usage: status.INVALID_ARGUMENT,
  'bundle.invalid': status.INVALID_ARGUMENT,
  'node.unknown': status.NOT_FOUND,
  'agent.version': status.FAILED_PRECONDITION,
  'apply.busy': status.FAILED_PRECONDITION,
  'apply.rejected': status.FAILED_PRECONDITION,
  'agent.missing': status.FAILED_PRECONDITION,
  'rollout.locked': status.FAILED_PRECONDITION,
  'rollout.stale': status.FAILED_PRECONDITION,
  'rollout.state': status.FAILED_PRECONDITION,
  'rollout.unknown': status.NOT_FOUND,
  'rollout.invalid': status.INVALID_ARGUMENT,
  'provider.quota': status.RESOURCE_EXHAUSTED,
  'etcd.unavailable': status.UNAVAILABLE,
  'etcd.invalid': status.DATA_LOSS,
  'etcd.quorum': status.FAILED_PRECONDITION,
  'node.alive': status.FAILED_PRECONDITION,
  'etcd.member-lost': status.FAILED_PRECONDITION,
};

/** A failed call as a person reads it; the metadata key `nix-infra-code` carries the stable code. */
export function toServiceError(thrown: unknown, code?: status): ServiceError {
  if (isServiceError(thrown)) return thrown;
  const problem = Problem.from(thrown);
  const details = [problem.message, problem.where, problem.reason].filter(Boolean).join(': ');
  const metadata = new Metadata();
  metadata.set('nix-infra-code', problem.code);
  // HTTP/2 headers are small: the log is cut, the rest is short.
  const { node, where, reason, next, message } = problem;
  const log = problem.log.slice(-LOG_LINES).map((line) => line.slice(0, LOG_LINE_CHARS));
  metadata.set(
    'nix-infra-problem-bin',
    Buffer.from(JSON.stringify({ message, node, where, reason, next, log })),
  );
  return Object.assign(new Error(details), {
    code: code ?? statusOf[problem.code] ?? status.INTERNAL,
    details,
    metadata,
  });
}

function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && 'metadata' in thrown && thrown.metadata instanceof Metadata;
}
