import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type PeerCertificate } from 'node:tls';
import { beforeEach, describe, expect, it } from 'vitest';
import { Problem } from '../../shared/errors.js';
import { type Authority, ensureAuthority, ensureLeaf, type Leaf, type LeafRequest } from './authority.js';
import { intermediateCertificate, rootCertificate } from './certificate.js';
import { splitPem } from './pki-file.js';

const options = {
  cluster: 'demo',
  company: 'Öl & Co',
  country: 'SE',
  caPass: 'one',
  intermediatePass: 'two',
};
const request: LeafRequest = {
  subject: 'worker001 client tls',
  principal: { cluster: 'demo', kind: 'node', name: 'worker001' },
  dns: ['worker001'],
  ips: ['127.0.0.1', '2001:db8::1'],
};
let project: string;

beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), 'pki-'));
  return () => rm(project, { recursive: true, force: true });
});

const file = (...parts: string[]) => join(project, 'ca', ...parts);
const keyFile = () => file('intermediate', 'private', 'worker001-client-tls.key.pem');
const certFile = () => file('intermediate', 'private', 'worker001-client-tls.cert.pem');
const leafOf = (authority: Authority, wanted = request) =>
  ensureLeaf(authority, project, 'worker001-client-tls', wanted);

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  return thrown instanceof Problem ? thrown.code : `no problem: ${String(thrown)}`;
}

async function overwrite(path: string, text: string): Promise<void> {
  await chmod(path, 0o600);
  await writeFile(path, text);
}

describe('ensureAuthority', () => {
  it('makes the files of the layout with their modes, and opens them again', async () => {
    const first = await ensureAuthority(project, options);
    const second = await ensureAuthority(project, options);
    expect(second.chainPem).toBe(first.chainPem);
    expect(await modeOf(file('private'))).toBe(0o700);
    expect(await modeOf(file('intermediate', 'private'))).toBe(0o700);
    expect(await modeOf(file('private', 'ca.key.pem'))).toBe(0o400);
    expect(await modeOf(file('intermediate', 'private', 'intermediate.key.pem'))).toBe(0o400);
    expect(await modeOf(file('certs', 'ca.cert.pem'))).toBe(0o444);
    expect(await readFile(file('intermediate', 'certs', 'ca-chain.cert.pem'), 'utf8')).toBe(first.chainPem);
    const [root, intermediate] = splitPem(first.chainPem).map((pem) => new X509Certificate(pem));
    expect(root?.subject).toBe('C=SE\nO=Öl & Co\nCN=Öl & Co Root CA');
    expect(intermediate?.checkIssued(root as X509Certificate)).toBe(true);
    expect(intermediate?.ca).toBe(true);
  });

  it('encrypts both keys, each with its own password', async () => {
    await ensureAuthority(project, options);
    const root = await readFile(file('private', 'ca.key.pem'), 'utf8');
    expect(root).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    expect(createPrivateKey({ key: root, passphrase: 'one' }).asymmetricKeyType).toBe('ec');
    expect(await codeOf(ensureAuthority(project, { ...options, caPass: 'x' }))).toBe('pki.password');
    expect(await codeOf(ensureAuthority(project, { ...options, intermediatePass: 'x' }))).toBe(
      'pki.password',
    );
    expect(await codeOf(ensureAuthority(project, { ...options, caPass: '' }))).toBe('pki.password');
  });

  it('works without the root key once the intermediate exists', async () => {
    const { chainPem } = await ensureAuthority(project, options);
    await rm(file('private', 'ca.key.pem'));
    expect((await ensureAuthority(project, options)).chainPem).toBe(chainPem);
    await rm(file('intermediate', 'certs', 'intermediate.cert.pem'));
    expect(await codeOf(ensureAuthority(project, options))).toBe('pki.invalid');
  });

  it('goes on where an interrupted run stopped', async () => {
    await ensureAuthority(project, options);
    await rm(file('certs', 'ca.cert.pem'));
    await rm(file('intermediate', 'certs', 'intermediate.cert.pem'));
    const leaf = await (await ensureAuthority(project, options)).issue(request);
    expect(splitPem(leaf.certPem)).toHaveLength(2);
  });

  it('refuses certificates and keys that do not belong together', async () => {
    await ensureAuthority(project, options);
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const pem = other.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'two' });
    await overwrite(file('intermediate', 'private', 'intermediate.key.pem'), pem.toString());
    expect(await codeOf(ensureAuthority(project, options))).toBe('pki.invalid');
    await overwrite(file('certs', 'ca.cert.pem'), 'nonsense');
    expect(await codeOf(ensureAuthority(project, options))).toBe('pki.invalid');
  });

  it('lets concurrent first runs make one authority', async () => {
    const made = await Promise.all([1, 2, 3].map(() => ensureAuthority(project, options)));
    expect(new Set(made.map(({ chainPem }) => chainPem)).size).toBe(1);
    expect(await readdir(file('intermediate'))).toEqual(['certs', 'private']);
  });

  it('opens RSA keys as the predecessor made them, also in the older PEM form', async () => {
    await ensureAuthority(project, options);
    const [rootKey, key] = [1, 2].map(() => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
    if (!rootKey || !key) throw new Error('no keys');
    const certPem = await rootCertificate(rootKey, { commonName: 'Old Root CA', email: 'me@old.example' });
    const locked = { format: 'pem', cipher: 'aes-256-cbc' } as const;
    await overwrite(
      file('private', 'ca.key.pem'),
      rootKey.export({ ...locked, type: 'pkcs1', passphrase: 'one' }).toString(),
    );
    await overwrite(
      file('intermediate', 'private', 'intermediate.key.pem'),
      key.export({ ...locked, type: 'pkcs8', passphrase: 'two' }).toString(),
    );
    await overwrite(file('certs', 'ca.cert.pem'), `Certificate:\n    Data: text\n${certPem}`);
    await overwrite(
      file('intermediate', 'certs', 'intermediate.cert.pem'),
      await intermediateCertificate(key, { commonName: 'Old CA' }, { key: rootKey, certPem }),
    );
    const authority = await ensureAuthority(project, options);
    expect(authority.chainPem).not.toContain('Data');
    const leaf = await authority.issue(request);
    await expect(handshake(authority, leaf, leaf)).resolves.toMatchObject({ URI: expect.any(String) });
  });
});

/** A mutual handshake where both ends know the root alone; returns what the server learnt about the client. */
async function handshake(authority: Authority, server: Leaf, client: Leaf): Promise<{ URI: string }> {
  const ca = splitPem(authority.chainPem)[0];
  if (!ca) throw new Error('no root');
  const listener = createServer({
    key: server.keyPem,
    cert: server.certPem,
    ca,
    requestCert: true,
    rejectUnauthorized: true,
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  try {
    const seen = new Promise<PeerCertificate>((resolve, reject) => {
      listener.on('secureConnection', (socket) => {
        resolve(socket.getPeerCertificate());
        socket.end();
      });
      listener.on('tlsClientError', reject);
    });
    const { port } = listener.address() as AddressInfo;
    const socket = connect({ host: '127.0.0.1', port, ca, key: client.keyPem, cert: client.certPem });
    const connected = new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.on('error', reject);
    });
    const [peer] = await Promise.all([seen, connected]);
    socket.destroy();
    return { URI: peer.subjectaltname ?? '' };
  } finally {
    listener.close();
  }
}

describe('a leaf', () => {
  it('serves both ends of a handshake that trusts only the root, and names its principal', async () => {
    const authority = await ensureAuthority(project, options);
    const leaf = await authority.issue(request);
    const { URI } = await handshake(authority, leaf, leaf);
    expect(URI).toContain('URI:nix-infra://demo/node/worker001');
  });

  it('is refused by another cluster', async () => {
    const authority = await ensureAuthority(project, options);
    const stranger = await ensureAuthority(join(project, 'other'), options);
    const [good, bad] = [await authority.issue(request), await stranger.issue(request)];
    await expect(handshake(authority, good, bad)).rejects.toThrow();
    await expect(handshake(authority, bad, good)).rejects.toThrow();
  });

  it('carries what was asked for, and does not outlive the intermediate', async () => {
    const authority = await ensureAuthority(project, options);
    const { certPem, keyPem } = await authority.issue({ ...request, days: 100_000 });
    const [leaf, intermediate] = splitPem(certPem).map((pem) => new X509Certificate(pem));
    expect(leaf?.checkIP('2001:db8::1')).toBe('2001:db8::1');
    expect(leaf?.checkHost('worker001')).toBe('worker001');
    expect(leaf?.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    expect(leaf?.ca).toBe(false);
    expect(leaf?.validTo).toBe(intermediate?.validTo);
    expect(leaf?.checkPrivateKey(createPrivateKey(keyPem))).toBe(true);
    expect(await codeOf(authority.issue({ ...request, ips: ['worker001'] }))).toBe('pki.invalid');
  });
});

describe('ensureLeaf', () => {
  it('keeps a good leaf, in files that only the owner reads', async () => {
    const authority = await ensureAuthority(project, options);
    const leaf = await leafOf(authority);
    expect(await modeOf(keyFile())).toBe(0o400);
    expect(await modeOf(certFile())).toBe(0o444);
    expect(await readFile(keyFile(), 'utf8')).toBe(leaf.keyPem);
    const respelled = { ...request, ips: ['2001:DB8:0::1', '127.0.0.1'] };
    expect(await leafOf(await ensureAuthority(project, options), respelled)).toEqual(leaf);
  });

  it.each<[string, Partial<LeafRequest>]>([
    ['an address', { ips: ['127.0.0.2'] }],
    ['a DNS name', { dns: [] }],
    ['the principal', { principal: { cluster: 'demo', kind: 'node', name: 'worker002' } }],
    ['the subject', { subject: 'someone' }],
  ])('makes it again when the request differs in %s', async (_, change) => {
    const authority = await ensureAuthority(project, options);
    const before = await leafOf(authority);
    const after = await leafOf(authority, { ...request, ...change });
    expect(after.certPem).not.toBe(before.certPem);
  });

  it('makes it again near its end', async () => {
    const authority = await ensureAuthority(project, options);
    // The skew of ten minutes back is most of a life that lasts two more minutes.
    const short = await leafOf(authority, { ...request, days: 2 / 1440 });
    expect((await leafOf(authority)).certPem).not.toBe(short.certPem);
  });

  it('makes it again after another authority, or after damage', async () => {
    const authority = await ensureAuthority(project, options);
    const before = await leafOf(authority);
    const stranger = await ensureAuthority(join(project, 'other'), options);
    const foreign = await leafOf(stranger);
    expect(foreign.certPem).not.toBe(before.certPem);
    await overwrite(keyFile(), before.keyPem);
    const mended = await leafOf(stranger);
    expect(mended.keyPem).not.toBe(before.keyPem);
    await overwrite(certFile(), 'nonsense');
    expect((await leafOf(stranger)).certPem).toMatch(/^-----BEGIN/);
  });

  it('gives concurrent callers the same leaf', async () => {
    const authority = await ensureAuthority(project, options);
    const leaves = await Promise.all([1, 2, 3, 4].map(() => leafOf(authority)));
    expect(new Set(leaves.map(({ keyPem }) => keyPem)).size).toBe(1);
  });

  it('takes no name that leaves the folder', async () => {
    const authority = await ensureAuthority(project, options);
    expect(await codeOf(ensureLeaf(authority, project, '../../x', request))).toBe('pki.invalid');
  });
});
