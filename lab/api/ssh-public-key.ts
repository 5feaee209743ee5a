/** Reads OpenSSH public keys just far enough to refuse nonsense and to compute the fingerprint Hetzner shows. */
import { createHash } from 'node:crypto';

/** MD5 fingerprint as hex pairs, or undefined when the text is not an OpenSSH public key. */
export function md5Fingerprint(publicKey: string): string | undefined {
  const [type = '', encoded = ''] = publicKey.trim().split(/\s+/);
  if (!/^(ssh-|ecdsa-|sk-)[a-z0-9@.-]+$/.test(type) || !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded))
    return undefined;
  const blob = Buffer.from(encoded, 'base64');
  // The blob starts with its own type, length first; a key cut short or relabelled fails here.
  if (blob.length < 4 + type.length || blob.readUInt32BE(0) !== type.length) return undefined;
  if (blob.toString('latin1', 4, 4 + type.length) !== type) return undefined;
  return createHash('md5')
    .update(blob)
    .digest('hex')
    .replace(/..(?=.)/g, '$&:');
}
