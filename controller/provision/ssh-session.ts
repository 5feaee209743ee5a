/** A connection to a node: commands and files. Every end that is not a clean one is an error. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { posix } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import type { Client, ClientChannel } from 'ssh2';
import { Problem } from '../../shared/errors.js';
import { provisionDefaults as defaults } from './defaults.js';

export interface ExecOptions {
  /** Default: empty. */
  stdin?: string | Buffer;
  /** Throws `ssh.failed` after this long (ms); default: never. */
  timeoutMs?: number;
  /** Told each line of output and of error output, without its end, as it comes. */
  onLine?: (line: string) => void;
}

export interface ExecResult {
  /** Exit code; 128 + number for a command that a signal ended, as a shell says it. */
  code: number;
  /** The last provisionDefaults.outputBytes of it. */
  stdout: string;
  stderr: string;
}

export interface SshSession {
  /** Runs a shell command. Throws `ssh.failed` when the connection is lost or the time is over. */
  exec(command: string, options?: ExecOptions): Promise<ExecResult>;
  /** Like exec; throws `ssh.command` with the last lines of output for an exit code other than 0. */
  run(command: string, options?: ExecOptions): Promise<ExecResult>;
  /** Writes a file so that it is there whole or not at all; makes missing folders (0755). `path` is absolute. */
  writeFile(path: string, content: string | Buffer, mode: number): Promise<void>;
  close(): void;
}

/** A session on a client that is ready. */
export function openSession(client: Client, node: string): SshSession {
  const places = new Places(defaults.execsAtOnce);
  let lost: Problem | undefined;
  client.once('close', () => {
    lost = new Problem('ssh.failed', 'The SSH connection is closed', { node });
  });

  const exec = (command: string, options: ExecOptions = {}): Promise<ExecResult> =>
    places.use(() => {
      if (lost) throw lost;
      return execute(client, node, command, options);
    });

  const run = async (command: string, options: ExecOptions = {}): Promise<ExecResult> => {
    const result = await exec(command, options);
    if (result.code === 0) return result;
    const output = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-defaults.errorLines);
    throw new Problem('ssh.command', `A command on the node ended with code ${result.code}`, {
      node,
      where: firstLine(command),
      reason: output.at(-1) || 'it printed nothing',
      log: output,
    });
  };

  const writeFile = async (path: string, content: string | Buffer, mode: number): Promise<void> => {
    const bytes = Buffer.from(content);
    await run(writeCommand(path, bytes.length, mode, randomBytes(6).toString('hex')), { stdin: bytes });
  };

  return { exec, run, writeFile, close: () => client.end() };
}

/**
 * The command that writes its input to `path`. It counts the bytes before the rename: when the connection dies in the middle, `cat`
 * sees an ordinary end of its input.
 */
export function writeCommand(path: string, size: number, mode: number, unique: string): string {
  if (!posix.isAbsolute(path) || path.includes('\0')) {
    throw new Problem('internal', `"${path.slice(0, 200)}" is not an absolute path`);
  }
  const folder = posix.dirname(path);
  const draft = shellQuoted(posix.join(folder, `.${posix.basename(path).slice(0, 200)}.${unique}.tmp`));
  return [
    `mkdir -p -m 755 ${shellQuoted(folder)}`,
    `trap ${shellQuoted(`rm -f ${draft}`)} EXIT`,
    'umask 077',
    `cat > ${draft}`,
    `[ "$(wc -c < ${draft})" -eq ${size} ]`,
    `chmod ${mode.toString(8)} ${draft}`,
    `mv -fT ${draft} ${shellQuoted(path)}`,
  ].join(' && ');
}

/** The text as one word of a POSIX shell. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function execute(client: Client, node: string, command: string, options: ExecOptions): Promise<ExecResult> {
  return new Promise((resolve, reject) => {
    const failed = (reason: string) =>
      reject(
        new Problem('ssh.failed', 'The SSH connection failed', { node, reason, where: firstLine(command) }),
      );
    const onClose = () => failed('the connection was lost while the command ran');
    // Channels close with their connection, but a channel that was never opened says nothing.
    client.once('close', onClose);
    const settle = () => client.removeListener('close', onClose);
    client.exec(command, (error, channel) => {
      if (error) {
        settle();
        failed(error.message);
      } else follow(channel, options, failed, resolve, settle);
    });
  });
}

function follow(
  channel: ClientChannel,
  { stdin, timeoutMs, onLine = () => undefined }: ExecOptions,
  failed: (reason: string) => void,
  ended: (result: ExecResult) => void,
  settle: () => void,
): void {
  const [stdout, stderr] = [new Output(onLine), new Output(onLine)];
  let code: number | undefined;
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          failed(`the command did not end within ${Math.round(timeoutMs / 1000)} s`);
          channel.signal('KILL');
          channel.close();
        }, timeoutMs);
  channel.on('data', (chunk: Buffer) => stdout.add(chunk));
  channel.stderr.on('data', (chunk: Buffer) => stderr.add(chunk));
  channel.on('exit', (exit: number | null, signal?: string) => {
    const number = constants.signals[signal as NodeJS.Signals] ?? 0;
    code = exit ?? (signal === undefined ? undefined : 128 + number);
  });
  channel.on('close', () => {
    clearTimeout(timer);
    settle();
    // No exit code and no signal: the command may still run, or may never have begun.
    if (code === undefined) failed('the connection was lost while the command ran');
    else ended({ code, stdout: stdout.end(), stderr: stderr.end() });
  });
  // A command that ends before it has read all its input: its exit code tells what that means.
  channel.on('error', () => undefined);
  channel.end(stdin ?? '');
}

/** One stream of output: lines as they come, the last bytes at the end. */
class Output {
  private chunks: Buffer[] = [];
  private size = 0;
  private partial = '';
  private readonly decoder = new StringDecoder('utf8');

  constructor(private readonly onLine: (line: string) => void) {}

  add(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.size += chunk.length;
    while (this.size - (this.chunks[0]?.length ?? 0) >= defaults.outputBytes) {
      this.size -= this.chunks.shift()?.length ?? 0;
    }
    const lines = (this.partial + this.decoder.write(chunk)).split('\n');
    // A line without end must not grow for ever either.
    this.partial = (lines.pop() ?? '').slice(-defaults.outputBytes);
    for (const line of lines) this.onLine(line.replace(/\r$/, ''));
  }

  end(): string {
    const rest = this.partial + this.decoder.end();
    if (rest) this.onLine(rest);
    return Buffer.concat(this.chunks).toString('utf8');
  }
}

/** Lets so many run at once; the others wait in the order they came. */
class Places {
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}

function firstLine(command: string): string {
  const line = command.split('\n', 1)[0] ?? '';
  return line.length > 120 ? `${line.slice(0, 117)}...` : line;
}
