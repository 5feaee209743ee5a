/** What went wrong in a call, as the problem that a person reads. */
import { X509Certificate } from 'node:crypto';
import { type ServiceError, status } from '@grpc/grpc-js';
import { z } from 'zod';
import { type ErrorCode, errorCatalogue } from '../../shared/error-catalogue.js';
import { Problem } from '../../shared/errors.js';
import { parsePrincipalUri } from '../../shared/names.js';

/** A server is a controller of this cluster when its URI SAN says so, whatever its host name is. */
export function identityError(der: Buffer, cluster: string): Error | undefined {
  const names = new X509Certificate(der).subjectAltName ?? '';
  const principals = names.split(', ').flatMap((name) => {
    const principal = name.startsWith('URI:') ? parsePrincipalUri(name.slice(4)) : undefined;
    return principal ? [principal] : [];
  });
  const known = principals.some(({ kind, cluster: of }) => kind === 'controller' && of === cluster);
  return known ? undefined : new Error(`the certificate is not that of a controller of ${cluster}: ${names}`);
}

/**
 * A failed call as the problem it was on the controller, else by its status. The controller sends the code as metadata `nix-infra-code`
 * and the rest of the problem as JSON in `nix-infra-problem-bin` (controller/server/status.ts).
 */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem || !(error instanceof Error)) return Problem.from(error);
  const { code, details } = error as ServiceError;
  const sent = sentCode(error);
  if (sent) {
    const { message, node, where, reason, next, log } = sentDetails(error as ServiceError);
    return new Problem(sent, message || details || errorCatalogue[sent].title, {
      ...(node ? { node } : {}),
      ...(where ? { where } : {}),
      ...(reason ? { reason } : {}),
      ...(next ? { next } : {}),
      log: log ?? [],
      cause: error,
    });
  }
  const unreachable = code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED || isCut(error);
  return Problem.from(error, unreachable ? 'controller.unreachable' : 'controller.refused', {
    reason: details || error.message,
  });
}

/** True when another controller, or the same a little later, may well answer. */
export function isPassing(error: unknown): boolean {
  if (error instanceof Problem) return passingCodes.has(error.code);
  if (!(error instanceof Error)) return false;
  const sent = sentCode(error);
  if (sent) return passingCodes.has(sent);
  const { code } = error as ServiceError;
  return code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED || isCut(error);
}

const passingCodes: ReadonlySet<ErrorCode> = new Set(['controller.unreachable', 'etcd.unavailable']);

/** A controller that ends takes its streams with it, and gRPC has several names for that. */
function isCut(error: Error): boolean {
  const { code, message } = error as ServiceError;
  return code === status.CANCELLED || (code === status.INTERNAL && message.includes('RST_STREAM'));
}

function sentCode(error: Error): ErrorCode | undefined {
  const sent = (error as Partial<ServiceError>).metadata?.get('nix-infra-code')[0];
  if (typeof sent !== 'string' || !Object.hasOwn(errorCatalogue, sent)) return undefined;
  // "This controller shuts down" is no problem of its own to the controller: there the status says more.
  const { code } = error as ServiceError;
  return sent === 'internal' && code === status.UNAVAILABLE ? undefined : (sent as ErrorCode);
}

const text = z.string().optional();
const sentShape = z.object({
  message: text,
  node: text,
  where: text,
  reason: text,
  next: text,
  log: z.array(z.string()).optional(),
});

/** Whatever of it can be read: the code alone says enough. */
function sentDetails(error: ServiceError): z.infer<typeof sentShape> {
  const [json] = error.metadata.get('nix-infra-problem-bin');
  try {
    return sentShape.parse(JSON.parse(String(json)));
  } catch {
    return {};
  }
}
