/** Where the authority's files stand in the project: the predecessor's layout, so that either tool opens the other's. */
import { join } from 'node:path';

export interface PkiLayout {
  /** Folders to make, outermost first, each with its mode. */
  readonly folders: readonly { path: string; mode: number }[];
  readonly rootKey: string;
  readonly rootCert: string;
  readonly intermediateKey: string;
  readonly intermediateCert: string;
  /** Root + intermediate in that order: what a verifier trusts. */
  readonly chain: string;
  readonly lock: string;
  /** Path of a leaf's file. */
  leaf(name: string, part: 'key' | 'cert'): string;
}

export function pkiLayout(projectDir: string): PkiLayout {
  const ca = join(projectDir, 'ca');
  const intermediate = join(ca, 'intermediate');
  return {
    folders: [
      { path: ca, mode: 0o755 },
      { path: join(ca, 'certs'), mode: 0o755 },
      { path: join(ca, 'private'), mode: 0o700 },
      { path: intermediate, mode: 0o755 },
      { path: join(intermediate, 'certs'), mode: 0o755 },
      { path: join(intermediate, 'private'), mode: 0o700 },
    ],
    rootKey: join(ca, 'private', 'ca.key.pem'),
    rootCert: join(ca, 'certs', 'ca.cert.pem'),
    intermediateKey: join(intermediate, 'private', 'intermediate.key.pem'),
    intermediateCert: join(intermediate, 'certs', 'intermediate.cert.pem'),
    chain: join(intermediate, 'certs', 'ca-chain.cert.pem'),
    lock: join(intermediate, 'lockfile'),
    leaf: (name, part) => join(intermediate, 'private', `${name}.${part}.pem`),
  };
}
