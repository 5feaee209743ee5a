/** Reads and writes the authority's files: never half a file, never a moment with the wrong mode. */
import { createPrivateKey, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { Problem } from '../../shared/errors.js';

export const keyMode = 0o400;
export const certMode = 0o444;

/** The text of a file; undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw Problem.from(error, 'pki.invalid', { where: path });
  }
}

/** Replaces a file by rename, which also works on a read-only one. */
export async function writePkiFile(path: string, text: string, mode: number): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeFile(draft, text, { mode, flag: 'wx', flush: true });
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw Problem.from(error, 'pki.invalid', { where: path });
  }
}

/** Reads a PEM key, of any kind that OpenSSL writes. Throws `pki.password` for a wrong password, `pki.invalid` for no key. */
export function openKey(pem: string, passphrase: string, path: string): KeyObject {
  try {
    return createPrivateKey({ key: pem, passphrase });
  } catch (error) {
    const isLocked = pem.includes('ENCRYPTED');
    throw Problem.from(error, isLocked ? 'pki.password' : 'pki.invalid', { where: path });
  }
}

export function lockedKeyPem(key: KeyObject, passphrase: string): string {
  return key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }).toString();
}

/** Reads a certificate; throws `pki.invalid` for text that is none. */
export function readCert(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw Problem.from(error, 'pki.invalid', { where: path });
  }
}

/** The certificates of a PEM bundle, each as PEM with one line break at its end. */
export function splitPem(bundle: string): string[] {
  const blocks = bundle.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => `${block}\n`);
}
