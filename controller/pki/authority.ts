/**
 * The cluster's certificate authority: a root that signs one intermediate, which signs all leaves. It stands in the
 * project folder, in the predecessor's layout, and opens what the predecessor made.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { JsonGeneralNames } from '@peculiar/x509';
import { Problem } from '../../shared/errors.js';
import { type Principal, principalUri } from '../../shared/names.js';
import {
  alternativeNames,
  intermediateCertificate,
  leafCertificate,
  newKey,
  rootCertificate,
  type Signer,
  type SubjectNames,
} from './certificate.js';
import { pkiDefaults } from './defaults.js';
import { withFileLock } from './file-lock.js';
import { type PkiLayout, pkiLayout } from './layout.js';
import {
  certMode,
  keyMode,
  lockedKeyPem,
  openKey,
  readCert,
  readIfThere,
  splitPem,
  writePkiFile,
} from './pki-file.js';

/** What a leaf certificate is to say. */
export interface LeafRequest {
  /** Common name; at most 64 characters are used. For people: nothing trusts it. */
  subject: string;
  /** Who the holder speaks for; becomes the URI SAN that the gRPC server authorises by. Default: nobody. */
  principal?: Principal;
  /** DNS names the holder serves under. */
  dns: string[];
  /** IPv4 and IPv6 addresses the holder serves under. */
  ips: string[];
  /** Days of life; default pkiDefaults.leafDays, never beyond the intermediate's end. */
  days?: number;
}

export interface Leaf {
  /** PKCS#8, not encrypted. */
  keyPem: string;
  /** Leaf, then intermediate: a verifier needs only the root. */
  certPem: string;
}

export interface Authority {
  /** Root, then intermediate: what both ends of a connection trust. */
  readonly chainPem: string;
  /** Makes a new key and a certificate for it. Throws `pki.invalid` for an address that is none. */
  issue(request: LeafRequest): Promise<Leaf>;
}

export interface AuthorityOptions {
  cluster: string;
  /** Organisation in the subjects; default: the cluster's name. */
  company?: string;
  /** Two letters. */
  country?: string;
  state?: string;
  email?: string;
  /** Password of the root key. */
  caPass: string;
  /** Password of the intermediate key. */
  intermediatePass: string;
}

/**
 * Opens the authority of the project, making what is missing. The root key may be absent (kept elsewhere) once the intermediate exists.
 * Throws `pki.password` when a password does not open its key or is empty, `pki.invalid` when files do not belong together,
 * `pki.busy` when another process holds the lock.
 */
export async function ensureAuthority(projectDir: string, options: AuthorityOptions): Promise<Authority> {
  if (!options.caPass || !options.intermediatePass) {
    throw new Problem('pki.password', 'The CA keys need a password', {
      next: 'set CA_PASS and INTERMEDIATE_CA_PASS in .env',
    });
  }
  const layout = pkiLayout(projectDir);
  for (const { path, mode } of layout.folders) {
    if (await mkdir(path, { recursive: true, mode })) await chmod(path, mode);
  }
  return withFileLock(layout.lock, async () => {
    const root = await openRoot(layout, options);
    const intermediate = await openIntermediate(layout, options, root);
    const chainPem = root.certPem + intermediate.certPem;
    if ((await readIfThere(layout.chain)) !== chainPem) await writePkiFile(layout.chain, chainPem, certMode);
    return { chainPem, issue: (request) => issueLeaf(intermediate, request) };
  });
}

async function openRoot(layout: PkiLayout, options: AuthorityOptions) {
  const keyPem = await readIfThere(layout.rootKey);
  const certPem = await readIfThere(layout.rootCert);
  if (keyPem === undefined && certPem !== undefined) {
    return { key: undefined, certPem: checkedCert(certPem, layout.rootCert) };
  }
  const key = await ensureKey(layout.rootKey, keyPem, options.caPass);
  if (certPem !== undefined) return { key, certPem: checkedCert(certPem, layout.rootCert, key) };
  const made = await rootCertificate(key, caNames(options, 'Root CA'));
  await writePkiFile(layout.rootCert, made, certMode);
  return { key, certPem: made };
}

async function openIntermediate(
  layout: PkiLayout,
  options: AuthorityOptions,
  root: { key: KeyObject | undefined; certPem: string },
): Promise<Signer> {
  const keyPem = await readIfThere(layout.intermediateKey);
  const certPem = await readIfThere(layout.intermediateCert);
  if (certPem !== undefined) {
    if (keyPem === undefined) throw missing(layout.intermediateKey);
    const key = openKey(keyPem, options.intermediatePass, layout.intermediateKey);
    const checked = checkedCert(certPem, layout.intermediateCert, key);
    if (!isIssuedBy(checked, root.certPem)) {
      throw new Problem('pki.invalid', 'The intermediate certificate was not signed by the root', {
        where: layout.intermediateCert,
      });
    }
    return { key, certPem: checked };
  }
  if (!root.key) throw missing(layout.rootKey);
  const key = await ensureKey(layout.intermediateKey, keyPem, options.intermediatePass);
  const signer = { key: root.key, certPem: root.certPem };
  const made = await intermediateCertificate(key, caNames(options, 'Intermediate CA'), signer);
  await writePkiFile(layout.intermediateCert, made, certMode);
  return { key, certPem: made };
}

/** Opens the key, or makes it. A key without certificate is what an interrupted first run leaves: it is used. */
async function ensureKey(path: string, pem: string | undefined, passphrase: string): Promise<KeyObject> {
  if (pem !== undefined) return openKey(pem, passphrase, path);
  const key = newKey();
  await writePkiFile(path, lockedKeyPem(key, passphrase), keyMode);
  return key;
}

function caNames({ cluster, company = cluster, ...rest }: AuthorityOptions, role: string): SubjectNames {
  const { country, state, email } = rest;
  return { commonName: `${company} ${role}`, country, state, company, email };
}

/** The certificate alone (OpenSSL writes text before it), when it is in force and belongs to the key. */
function checkedCert(pem: string, path: string, key?: KeyObject): string {
  const cert = readCert(pem, path);
  const fault =
    key && !cert.checkPrivateKey(key)
      ? 'it does not belong to the key beside it'
      : Date.parse(cert.validTo) < Date.now()
        ? `it ended on ${cert.validTo}`
        : undefined;
  if (fault) {
    throw new Problem('pki.invalid', 'A certificate of the CA cannot be used', {
      where: path,
      reason: fault,
    });
  }
  return splitPem(pem)[0] ?? pem;
}

function missing(path: string): Problem {
  return new Problem('pki.invalid', 'A key of the CA is missing', {
    where: path,
    next: 'restore it from a backup: certificates that exist cannot be used without it',
  });
}

function isIssuedBy(certPem: string, issuerPem: string): boolean {
  const issuer = new X509Certificate(issuerPem);
  const cert = new X509Certificate(certPem);
  return cert.checkIssued(issuer) && cert.verify(issuer.publicKey);
}

async function issueLeaf(intermediate: Signer, request: LeafRequest): Promise<Leaf> {
  const key = newKey();
  const profile = {
    commonName: request.subject,
    names: namesOf(request),
    days: request.days ?? pkiDefaults.leafDays,
  };
  const certPem = await leafCertificate(key, profile, intermediate);
  return {
    keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certPem: certPem + intermediate.certPem,
  };
}

function namesOf({ principal, dns, ips }: LeafRequest): JsonGeneralNames {
  const wrong = ips.find((ip) => isIP(ip) === 0);
  if (wrong !== undefined) {
    throw new Problem('pki.invalid', `"${wrong.slice(0, 80)}" is not an IP address`, {
      next: 'see the addresses of the nodes with `nix-infra status`',
    });
  }
  return [
    ...dns.map((value) => ({ type: 'dns' as const, value })),
    ...ips.map((value) => ({ type: 'ip' as const, value })),
    ...(principal ? [{ type: 'url' as const, value: principalUri(principal) }] : []),
  ];
}

/**
 * The leaf kept under `name` (such as `worker001-client-tls`) in ca/intermediate/private, made again when it says something
 * else than the request, when another authority signed it, or when it is near its end (pkiDefaults.renewBelow).
 */
export async function ensureLeaf(
  authority: Authority,
  projectDir: string,
  name: string,
  request: LeafRequest,
): Promise<Leaf> {
  if (!/^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(name)) {
    throw new Problem('pki.invalid', `"${name.slice(0, 80)}" is not a certificate name`);
  }
  const layout = pkiLayout(projectDir);
  const [keyPath, certPath] = [layout.leaf(name, 'key'), layout.leaf(name, 'cert')];
  return withFileLock(layout.lock, async () => {
    const keyPem = await readIfThere(keyPath);
    const certPem = await readIfThere(certPath);
    if (keyPem !== undefined && certPem !== undefined) {
      const kept = { keyPem, certPem };
      if (await isGood(kept, authority, request)) return kept;
    }
    const leaf = await authority.issue(request);
    await writePkiFile(keyPath, leaf.keyPem, keyMode);
    await writePkiFile(certPath, leaf.certPem, certMode);
    return leaf;
  });
}

/** False for anything doubtful, a damaged file too: making the leaf again is cheap and safe. */
async function isGood(leaf: Leaf, authority: Authority, request: LeafRequest): Promise<boolean> {
  const [certPem, ...rest] = splitPem(leaf.certPem);
  const issuer = splitPem(authority.chainPem).at(-1);
  if (certPem === undefined || issuer === undefined || rest.join('') !== issuer) return false;
  try {
    const cert = new X509Certificate(certPem);
    const [from, to] = [Date.parse(cert.validFrom), Date.parse(cert.validTo)];
    return (
      isIssuedBy(certPem, issuer) &&
      cert.checkPrivateKey(createPrivateKey(leaf.keyPem)) &&
      cert.subject === `CN=${request.subject.slice(0, 64)}` &&
      (to - Date.now()) / (to - from) >= pkiDefaults.renewBelow &&
      canonical(await alternativeNames(certPem)) === canonical(namesOf(request))
    );
  } catch {
    return false;
  }
}

/** The same text for the same set of names, however the addresses are spelled. */
function canonical(names: JsonGeneralNames): string {
  const spelled = names.map(({ type, value }) =>
    type === 'ip' && isIP(value) === 6 ? `ip ${new URL(`http://[${value}]`).hostname}` : `${type} ${value}`,
  );
  return [...new Set(spelled)].sort().join('\n');
}
