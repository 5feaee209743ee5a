/** The one place that decides who may call what. Handlers behind it can trust the principal of their caller. */
import { ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import { principalOf } from '../../shared/identity.js';
import type { Principal, PrincipalKind } from '../../shared/names.js';

/** Which kind of certificate each service is for. A service that is not named here is for nobody. */
const allowed: Readonly<Record<string, PrincipalKind>> = {
  'nixinfra.v1.AgentService': 'node',
  'nixinfra.v1.OperatorService': 'operator',
};

/** Why this caller may not call this method; undefined when it may. */
export function refusal(cluster: string, path: string, caller: Principal | undefined): string | undefined {
  if (!caller) return 'the certificate does not name a principal of nix-infra';
  if (caller.cluster !== cluster)
    return `the certificate is of the cluster ${caller.cluster}, this is ${cluster}`;
  const service = path.split('/')[1] ?? '';
  if (allowed[service] !== caller.kind) return `a ${caller.kind} may not call ${service}`;
  return undefined;
}

interface Call {
  getAuthContext(): { sslPeerCertificate?: { subjectaltname?: string | undefined } | undefined };
}

/** Name of the authenticated caller. Only for handlers behind `authorise`. */
export function callerName(call: Call): string {
  const principal = principalOf(call.getAuthContext().sslPeerCertificate ?? {});
  if (!principal) throw new Error('a call came past the authorisation');
  return principal.name;
}

export function authorise(cluster: string): ServerInterceptor {
  return (method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            const reason = refusal(
              cluster,
              method.path,
              principalOf(call.getAuthContext().sslPeerCertificate ?? {}),
            );
            if (reason === undefined) pass(metadata);
            else call.sendStatus({ code: status.PERMISSION_DENIED, details: reason });
          },
        }),
    });
}
