/** Problems as gRPC statuses. The code travels in the details, so that the command line can show the same problem. */
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import type { ErrorCode } from '../../shared/error-catalogue.js';
import { Problem } from '../../shared/errors.js';

const statusOf: Partial<Record<ErrorCode, status>> = {
  usage: status.INVALID_ARGUMENT,
  'bundle.invalid': status.INVALID_ARGUMENT,
  'node.unknown': status.NOT_FOUND,
  'agent.version': status.FAILED_PRECONDITION,
  'apply.busy': status.FAILED_PRECONDITION,
  'provider.quota': status.RESOURCE_EXHAUSTED,
  'etcd.unavailable': status.UNAVAILABLE,
  'etcd.invalid': status.DATA_LOSS,
};

/** A failed call as a person reads it; the metadata key `nix-infra-code` carries the stable code. */
export function toServiceError(thrown: unknown, code?: status): ServiceError {
  if (isServiceError(thrown)) return thrown;
  const problem = Problem.from(thrown);
  const details = [problem.message, problem.where, problem.reason].filter(Boolean).join(': ');
  const metadata = new Metadata();
  metadata.set('nix-infra-code', problem.code);
  return Object.assign(new Error(details), {
    code: code ?? statusOf[problem.code] ?? status.INTERNAL,
    details,
    metadata,
  });
}

function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && 'metadata' in thrown && thrown.metadata instanceof Metadata;
}
