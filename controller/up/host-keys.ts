/** SSH host keys made before the server is, so that the very first connection can be verified. */
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateSshKey } from '../provision/ssh.js';

export interface HostKey {
  /** OpenSSH private key. */
  privateKey: string;
  /** One line: type, base64, comment. */
  publicKey: string;
}

const readText = (path: string) => readFile(path, 'utf8').catch(() => undefined);

export class HostKeys {
  constructor(private readonly projectDir: string) {}

  /** The pair of a node, made and noted in ssh/known_hosts at the first call. */
  async ensure(node: string): Promise<HostKey> {
    const path = join(this.projectDir, 'ssh', 'host_keys', node);
    const [privateKey, publicKey] = [await readText(path), await readText(`${path}.pub`)];
    const kept = privateKey && publicKey ? { privateKey, publicKey: publicKey.trim() } : undefined;
    const key = kept ?? generateSshKey(node);
    if (!kept) {
      await mkdir(join(this.projectDir, 'ssh', 'host_keys'), { recursive: true, mode: 0o700 });
      await writeFile(path, key.privateKey, { mode: 0o600 });
      await chmod(path, 0o600);
      await writeFile(`${path}.pub`, `${key.publicKey.trim()}\n`);
    }
    await this.note(node, key.publicKey);
    return key;
  }

  /** Public host keys that are right for a node, one per line of ssh/known_hosts. */
  async known(node: string): Promise<string[]> {
    const lines = (await readText(this.file))?.split('\n') ?? [];
    return lines.flatMap((line) => {
      const [names = '', ...key] = line.trim().split(/\s+/);
      return names.split(',').includes(node) && key.length >= 2 ? [key.slice(0, 2).join(' ')] : [];
    });
  }

  /** ssh/known_hosts: nodes by name, because the name is known before the address. */
  get file(): string {
    return join(this.projectDir, 'ssh', 'known_hosts');
  }

  /** Removes the pairs and lines of servers that are gone. */
  async forget(nodes: readonly string[]): Promise<void> {
    await this.rewrite((lines) => lines.filter((line) => !nodes.includes(line.split(/\s+/)[0] ?? '')));
    for (const node of nodes) {
      const path = join(this.projectDir, 'ssh', 'host_keys', node);
      await rm(path, { force: true });
      await rm(`${path}.pub`, { force: true });
    }
  }

  private note(node: string, publicKey: string): Promise<void> {
    const line = `${node} ${publicKey.trim().split(/\s+/).slice(0, 2).join(' ')}`;
    return this.rewrite((lines) => (lines.includes(line) ? lines : [...lines, line]));
  }

  /** Changes of this process come one after the other: nodes are made in parallel. */
  private queue: Promise<void> = Promise.resolve();

  private rewrite(change: (lines: string[]) => string[]): Promise<void> {
    const next = this.queue.then(async () => {
      const lines = ((await readText(this.file)) ?? '').split('\n').filter((line) => line !== '');
      const changed = change(lines);
      if (changed.join('\n') === lines.join('\n')) return;
      await mkdir(join(this.projectDir, 'ssh'), { recursive: true, mode: 0o700 });
      await writeFile(this.file, changed.map((line) => `${line}\n`).join(''));
    });
    this.queue = next.catch(() => undefined);
    return next;
  }
}
