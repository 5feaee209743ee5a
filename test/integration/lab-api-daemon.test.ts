/** The lab API as the process it runs as: ready line, pid file, kill and take-over. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ReadyLine } from '../../lab/api/daemon.js';

let folder: string;
let program: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lab-api-daemon-'));
  program = join(folder, 'lab-api.mjs');
  const banner =
    "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
  await build({
    entryPoints: ['lab/api/main.ts'],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: banner },
  });
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function options(change: object = {}): Promise<string> {
  const file = join(folder, 'options.json');
  const base = {
    driver: { kind: 'memory' },
    stateFile: join(folder, 'state.json'),
    pidFile: join(folder, 'pid'),
    port: 0,
  };
  await writeFile(file, JSON.stringify({ ...base, ...change }));
  return file;
}

function daemon(args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  return child;
}

function ready(child: ChildProcess): Promise<ReadyLine> {
  return new Promise((resolve, reject) => {
    if (child.stdout)
      createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line)));
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it was ready`)));
  });
}

function ended(child: ChildProcess): Promise<{ code: number | null; err: string }> {
  return new Promise((resolve) => {
    let err = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    child.once('close', (code) => resolve({ code, err }));
  });
}

async function groupNames({ url, token }: ReadyLine): Promise<string[]> {
  const reply = await fetch(`${url}/placement_groups`, { headers: { Authorization: `Bearer ${token}` } });
  return ((await reply.json()) as { placement_groups: { name: string }[] }).placement_groups.map(
    (g) => g.name,
  );
}

describe('daemon', () => {
  it('keeps its token and objects over SIGKILL, and ends on SIGTERM without its pid file', async () => {
    const file = await options();
    const first = daemon([file]);
    const line = await ready(first);
    expect(await readFile(join(folder, 'pid'), 'utf8')).toBe(`${first.pid}\n`);
    await fetch(`${line.url}/placement_groups`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${line.token}` },
      body: JSON.stringify({ name: 'kept', type: 'spread' }),
    });
    const killed = ended(first);
    first.kill('SIGKILL');
    await killed;

    const second = daemon([file]);
    const again = await ready(second);
    expect(again.token).toBe(line.token);
    expect(await groupNames(again)).toEqual(['kept']);
    const done = ended(second);
    second.kill('SIGTERM');
    expect((await done).code).toBe(0);
    expect(existsSync(join(folder, 'pid'))).toBe(false);
  });

  it.each([
    [{ port: 'x' }, /port/],
    [{ colour: 'red' }, /colour/],
    [{ driver: { kind: 'zeppelin' } }, /nspawn, memory/],
    [{ driver: { kind: 'nspawn' } }, /images/],
    [{ network: { cidr: '10.77.0.0/99', firstHost: 11 } }, /10\.77\.0\.0\/99/],
  ])('refuses %o and says why', async (change, reason) => {
    const { code, err } = await ended(daemon([await options(change)]));
    expect(code).toBe(1);
    expect(err).toMatch(reason);
  });

  it('asks for its options file', async () => {
    expect(await ended(daemon([]))).toMatchObject({ code: 64 });
  });
});
