/** Who is at the other end of a TLS connection: read from its certificate, never from what it says. */
import { checkServerIdentity as hostMatches, type PeerCertificate } from 'node:tls';
import { type Principal, type PrincipalKind, parsePrincipalUri } from './names.js';

/**
 * The principal of a certificate whose chain TLS has already verified; undefined unless exactly one of its URI SANs exists
 * and is ours. Two would leave open which one counts.
 */
export function principalOf(certificate: { subjectaltname?: string | undefined }): Principal | undefined {
  const uris = (certificate.subjectaltname ?? '').split(', ').filter((san) => san.startsWith('URI:'));
  return uris.length === 1 ? parsePrincipalUri((uris[0] as string).slice('URI:'.length)) : undefined;
}

/**
 * A `checkServerIdentity` for clients: the ordinary host check, and the server must be of this kind in this cluster.
 * Without it any node's certificate that carries an address could pose as a controller at that address.
 */
export function serverMustBe(
  cluster: string,
  kind: PrincipalKind,
): (host: string, certificate: PeerCertificate) => Error | undefined {
  return (host, certificate) => {
    const mismatch = hostMatches(host, certificate);
    if (mismatch) return mismatch;
    const principal = principalOf(certificate);
    if (principal?.cluster === cluster && principal.kind === kind) return undefined;
    return new Error(`the certificate of ${host} is not one of a ${kind} of the cluster ${cluster}`);
  };
}
