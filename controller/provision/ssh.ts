/** SSH to a node: connects only to a host that proves to be the one we made, and keeps trying while it boots. */
import ssh2, { type Client as SshClient } from 'ssh2';
import { Problem } from '../../shared/errors.js';
import { backoff, type Clock, systemClock } from './clock.js';
import { provisionDefaults as defaults } from './defaults.js';
import { openSession, type SshSession } from './ssh-session.js';

export type { ExecOptions, ExecResult, SshSession } from './ssh-session.js';

export interface SshOptions {
  host: string;
  /** Default 22. */
  port?: number;
  /** Default root. */
  user?: string;
  /** OpenSSH format, without passphrase. */
  privateKey: string;
  /** Host keys that are accepted, as `ssh-ed25519 AAAA…` lines; at least one. */
  hostKeys: readonly string[];
  /** How long to try (ms). */
  deadlineMs: number;
  /** The node's name, for messages. */
  node: string;
  /** Told why an attempt failed that will be repeated. */
  onAttempt?: (reason: string) => void;
  /** Default: the system's. */
  clock?: Clock;
}

/**
 * A new ed25519 key pair in OpenSSH format. ssh2 strips leading zero bytes of a key, and about one in 150 then comes out malformed, for
 * ssh2 and for OpenSSH: what cannot be read is thrown away.
 */
export function generateSshKey(comment: string): { privateKey: string; publicKey: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    const readable = [pair.private, pair.public].every((key) => !(ssh2.utils.parseKey(key) instanceof Error));
    if (readable) return { privateKey: pair.private, publicKey: pair.public };
  }
}

/**
 * Connects and logs in. Throws `node.no-boot` when the host does not answer until the deadline, `ssh.host-key` when its key stays
 * wrong (nothing was sent then), `ssh.auth` when it keeps refusing ours.
 */
export async function connectSsh(options: SshOptions): Promise<SshSession> {
  const { host, node, deadlineMs, clock = systemClock, onAttempt = () => undefined } = options;
  const accepted = hostKeysOf(options);
  assertPrivateKey(options);
  const started = clock.now();
  /** When a kind of refusal was first seen since the host last did something else. */
  let refusedAs: Refusal | undefined;
  let refusedSince = started;
  for (let attempt = 0; ; attempt += 1) {
    const left = deadlineMs - (clock.now() - started);
    const outcome = await connectOnce(options, accepted, Math.min(defaults.sshAttemptMs, Math.max(left, 1)));
    if ('client' in outcome) return openSession(outcome.client, node);
    const { refusal, reason } = outcome;
    if (refusal !== refusedAs) refusedSince = clock.now();
    refusedAs = refusal;
    const pause = backoff(attempt, defaults.sshRetryBaseMs, defaults.sshRetryMaxMs, clock.random());
    const then = clock.now() + pause;
    const grace = refusal === undefined ? Number.POSITIVE_INFINITY : graces[refusal];
    if (then - started >= deadlineMs || then - refusedSince >= grace) {
      throw new Problem(refusal ?? 'node.no-boot', messages[refusal ?? 'node.no-boot'](host), {
        node,
        reason,
      });
    }
    onAttempt(reason);
    await clock.sleep(pause);
  }
}

/** Refusals of a host that answers; everything else may be a host that is still booting. */
type Refusal = 'ssh.host-key' | 'ssh.auth';

const graces: Readonly<Record<Refusal, number>> = {
  'ssh.host-key': defaults.hostKeyGraceMs,
  'ssh.auth': defaults.authGraceMs,
};

const messages = {
  'ssh.host-key': (host: string) =>
    `${host} shows a host key that is not the one of this node; nothing was sent`,
  'ssh.auth': (host: string) => `${host} refuses our SSH key`,
  'node.no-boot': (host: string) => `${host} does not answer over SSH`,
} as const;

type Outcome = { client: SshClient } | { refusal: Refusal | undefined; reason: string };

function connectOnce(options: SshOptions, accepted: HostKeys, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const client = new ssh2.Client();
    let wrongKey = false;
    const fail = (refusal: Refusal | undefined, reason: string) => {
      client.destroy();
      resolve({ refusal, reason });
    };
    client.once('ready', () => {
      // Without it each chunk of a transfer waits 33 ms for an acknowledgement.
      client.setNoDelay(true);
      resolve({ client });
    });
    // Stays for the life of the connection: an error event without listener would end the process.
    client.on('error', (error: Error & { level?: string }) => {
      const noSharedKey = error.message.includes('no matching host key');
      if (wrongKey || noSharedKey) fail('ssh.host-key', 'the host key differs from the expected one');
      else if (error.level === 'client-authentication') fail('ssh.auth', error.message);
      else fail(undefined, error.message);
    });
    client.once('close', () => fail(undefined, 'the connection was closed before it was ready'));
    try {
      client.connect({
        host: options.host,
        port: options.port ?? 22,
        username: options.user ?? 'root',
        privateKey: options.privateKey,
        readyTimeout: timeoutMs,
        keepaliveInterval: defaults.keepaliveMs,
        keepaliveCountMax: defaults.keepaliveMissed,
        // Only kinds that we know: a server with several keys would else show one we cannot compare.
        algorithms: { serverHostKey: accepted.types },
        hostVerifier: (key: Buffer) => {
          wrongKey = !accepted.blobs.has(key.toString('base64'));
          return !wrongKey;
        },
      });
    } catch (error) {
      fail(undefined, error instanceof Error ? error.message : String(error));
    }
  });
}

interface HostKeys {
  types: ssh2.ServerHostKeyAlgorithm[];
  /** Public key blobs in base64. */
  blobs: ReadonlySet<string>;
}

/** How the algorithms for a kind of key are called; RSA keys have two safe ones. */
const algorithms: Readonly<Record<string, readonly ssh2.ServerHostKeyAlgorithm[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};

function hostKeysOf({ hostKeys, node }: SshOptions): HostKeys {
  const fields = hostKeys.map((line) => line.trim().split(/\s+/));
  const wrong = fields.find(([type = '', blob]) => !algorithms[type] || !blob);
  if (wrong || fields.length === 0) {
    throw new Problem('ssh.host-key', wrong ? 'A known host key cannot be read' : 'No host key is known', {
      node,
      next: 'ssh/known_hosts in the project must hold the host key of this node',
    });
  }
  const types = new Set(fields.flatMap(([type = '']) => algorithms[type] ?? []));
  return {
    types: [...types],
    // Through bytes, so that missing padding makes no difference.
    blobs: new Set(fields.map(([, blob = '']) => Buffer.from(blob, 'base64').toString('base64'))),
  };
}

function assertPrivateKey({ privateKey, node }: SshOptions): void {
  const key = ssh2.utils.parseKey(privateKey);
  if (!(key instanceof Error)) return;
  throw new Problem('ssh.auth', 'The private SSH key cannot be read', {
    node,
    reason: key.message,
    next: 'the key must be in OpenSSH format and without passphrase (ssh-keygen -t ed25519)',
  });
}
