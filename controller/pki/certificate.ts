/** Makes certificates: the three profiles (root, intermediate, leaf) and nothing else of X.509. */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
import type { JsonGeneralNames, JsonName } from '@peculiar/x509';
import { Problem } from '../../shared/errors.js';
import { pkiDefaults } from './defaults.js';

/** Who signs: key and certificate. */
export interface Signer {
  key: KeyObject;
  certPem: string;
}

/** Names of a subject; what is absent or empty is left out. */
export interface SubjectNames {
  commonName: string;
  country?: string | undefined;
  state?: string | undefined;
  company?: string | undefined;
  email?: string | undefined;
}

// Loaded on first use: it costs 80 ms, and most commands make no certificate.
async function library() {
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

export function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
}

/** A self-signed root. */
export async function rootCertificate(key: KeyObject, names: SubjectNames): Promise<string> {
  const x509 = await library();
  const subject = subjectOf(names);
  const publicKey = await publicKeyOf(key);
  const cert = await x509.X509CertificateGenerator.create({
    ...validity(pkiDefaults.rootDays),
    serialNumber: serial(),
    subject,
    issuer: subject,
    publicKey,
    signingKey: await signingKeyOf(key),
    signingAlgorithm: algorithmOf(key),
    extensions: [
      ...caExtensions(x509, undefined),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return pem(cert);
}

/** An intermediate that may sign leaves and no further authority. */
export async function intermediateCertificate(
  key: KeyObject,
  names: SubjectNames,
  root: Signer,
): Promise<string> {
  const x509 = await library();
  return signed(root, key, subjectOf(names), pkiDefaults.intermediateDays, caExtensions(x509, 0));
}

export interface LeafProfile {
  commonName: string;
  names: JsonGeneralNames;
  days: number;
}

/** A leaf for both ends of a TLS connection. */
export async function leafCertificate(key: KeyObject, leaf: LeafProfile, signer: Signer): Promise<string> {
  const x509 = await library();
  const { KeyUsageFlags, ExtendedKeyUsage } = x509;
  return signed(signer, key, subjectOf({ commonName: leaf.commonName }), leaf.days, [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
    new x509.SubjectAlternativeNameExtension(leaf.names),
  ]);
}

/** The alternative names of a certificate, as `leafCertificate` takes them. */
export async function alternativeNames(certPem: string): Promise<JsonGeneralNames> {
  const x509 = await library();
  const cert = new x509.X509Certificate(certPem);
  return cert.getExtension(x509.SubjectAlternativeNameExtension)?.names.toJSON() ?? [];
}

type Library = Awaited<ReturnType<typeof library>>;
type Extensions = NonNullable<Parameters<Library['X509CertificateGenerator']['create']>[0]['extensions']>;

function caExtensions(x509: Library, pathLength: number | undefined): Extensions {
  const { cRLSign, keyCertSign } = x509.KeyUsageFlags;
  return [
    new x509.BasicConstraintsExtension(true, pathLength, true),
    new x509.KeyUsagesExtension(cRLSign | keyCertSign, true),
  ];
}

async function signed(
  signer: Signer,
  key: KeyObject,
  subject: JsonName,
  days: number,
  extensions: Extensions,
) {
  const x509 = await library();
  const issuer = new x509.X509Certificate(signer.certPem);
  const publicKey = await publicKeyOf(key);
  const { notBefore, notAfter } = validity(days);
  const cert = await x509.X509CertificateGenerator.create({
    notBefore,
    // A certificate that outlives its issuer looks valid in every listing and fails in every handshake.
    notAfter: notAfter < issuer.notAfter ? notAfter : issuer.notAfter,
    serialNumber: serial(),
    subject,
    issuer: issuer.subjectName.toJSON(),
    publicKey,
    signingKey: await signingKeyOf(signer.key),
    signingAlgorithm: algorithmOf(signer.key),
    extensions: [
      ...extensions,
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return pem(cert);
}

function subjectOf({ commonName, country, state, company, email }: SubjectNames): JsonName {
  if (country && !/^[A-Za-z]{2}$/.test(country)) {
    throw new Problem('pki.invalid', `"${country.slice(0, 80)}" is not a two-letter country code`, {
      next: 'correct CERT_COUNTRY_CODE in .env',
    });
  }
  const parts: [string, string | undefined][] = [
    ['C', country],
    ['ST', state],
    ['O', company],
    // X.520 allows no more; OpenSSL refuses to read a longer one.
    ['CN', commonName.slice(0, 64)],
    ['E', email],
  ];
  return parts.flatMap(([type, value]) => (value ? [{ [type]: [value] }] : []));
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - pkiDefaults.clockSkewMs), notAfter: new Date(now + days * 86_400_000) };
}

/** 127 random bits: positive without a padding byte, and never twice the same without a counter file. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

const ecCurves: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
};

/** How a key of this kind signs. RSA is what the predecessor made. */
function algorithmOf(key: KeyObject): EcKeyImportParams & EcdsaParams & RsaHashedImportParams {
  if (key.asymmetricKeyType === 'rsa') {
    return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', namedCurve: '' };
  }
  const namedCurve = ecCurves[key.asymmetricKeyDetails?.namedCurve ?? ''];
  if (key.asymmetricKeyType === 'ec' && namedCurve) return { name: 'ECDSA', hash: 'SHA-256', namedCurve };
  throw new Problem('pki.invalid', `A CA key of type ${key.asymmetricKeyType} is not supported`, {
    next: 'use a CA with RSA or NIST-curve keys',
  });
}

type EcKeyImportParams = webcrypto.EcKeyImportParams;
type EcdsaParams = webcrypto.EcdsaParams;
type RsaHashedImportParams = webcrypto.RsaHashedImportParams;

function signingKeyOf(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const der = key.export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', der, algorithmOf(key), false, ['sign']);
}

function publicKeyOf(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const der = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return webcrypto.subtle.importKey('spki', der, algorithmOf(key), true, ['verify']);
}

function pem(cert: { toString(format: 'pem'): string }): string {
  return `${cert.toString('pem').trimEnd()}\n`;
}
