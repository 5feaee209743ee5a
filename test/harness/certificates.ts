/** A throw-away CA for the harness. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { type PrincipalKind, principalUri } from '../../shared/names.js';

x509.cryptoProvider.set(webcrypto);
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface CertificateFiles {
  ca: string;
  cert: string;
  key: string;
}

export interface HarnessAuthority {
  /** A certificate for localhost and 127.0.0.1; with a kind it names a principal of the cluster. */
  issue(name: string, kind?: PrincipalKind, cluster?: string): Promise<CertificateFiles>;
}

type KeyPair = webcrypto.CryptoKeyPair;

async function pemKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return x509.PemConverter.encode(der, 'PRIVATE KEY');
}

export async function makeAuthority(dir: string, defaultCluster: string): Promise<HarnessAuthority> {
  mkdirSync(dir, { recursive: true });
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as KeyPair;
  const notBefore = new Date(Date.now() - 60_000);
  const notAfter = new Date(Date.now() + 86_400_000);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=harness',
    keys,
    notBefore,
    notAfter,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  const ca = join(dir, 'ca.pem');
  writeFileSync(ca, root.toString('pem'));
  let serial = 1;
  return {
    issue: async (name, kind, cluster = defaultCluster) => {
      const own = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as KeyPair;
      const names: x509.JsonGeneralNames = [
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
      ];
      if (kind) names.push({ type: 'url', value: principalUri({ cluster, kind, name }) });
      serial += 1;
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: serial.toString(16).padStart(4, '0'),
        subject: `CN=${name}`,
        issuer: root.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        notBefore,
        notAfter,
        signingAlgorithm: algorithm,
        extensions: [
          new x509.SubjectAlternativeNameExtension(names),
          new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']),
        ],
      });
      const stem = join(dir, `${cluster}-${kind ?? 'plain'}-${name}-${serial}`);
      writeFileSync(`${stem}.pem`, certificate.toString('pem'));
      writeFileSync(`${stem}-key.pem`, await pemKey(own.privateKey), { mode: 0o600 });
      return { ca, cert: `${stem}.pem`, key: `${stem}-key.pem` };
    },
  };
}
