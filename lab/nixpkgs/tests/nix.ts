/** Evaluates Nix for the tests of the stand-in: the same program, language and settings as on a lab machine. */
import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const nixpkgs = dirname(dirname(fileURLToPath(import.meta.url)));

/** No network, no cache, no daemon, no build users (docs/reference/lab-nixos.md). */
const settings = [
  'sandbox = false',
  'build-users-group =',
  'substituters =',
  'experimental-features = nix-command flakes',
].join('\n');

export interface Evaluated {
  code: number;
  stdout: string;
  stderr: string;
}

async function nix(program: string, args: readonly string[]): Promise<Evaluated> {
  const home = await mkdtemp(join(tmpdir(), 'nixpkgs-test-'));
  const env = { ...process.env, HOME: home, NIX_CONFIG: settings, NIX_PATH: `nixpkgs=${nixpkgs}` };
  return new Promise((resolve, reject) => {
    execFile(program, args, { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error?.code === 'ENOENT') reject(new Error(`${program} is not installed: run \`npm run setup\``));
      else resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr });
    });
  });
}

/** What every expression of the tests can use. */
const prelude = `
  lib = import <nixpkgs/lib>;
  pkgs = import <nixpkgs> { system = "x86_64-linux"; };
  eval = modules: (lib.evalModules { inherit modules; }).config;
  machine = { boot.isContainer = true; system.stateVersion = "25.05"; networking.hostName = "n1"; };
  nixos = module: lib.nixosSystem { system = "x86_64-linux"; modules = [ machine module ]; };
`;

/** Evaluates an expression, strictly. */
export function evaluate(expression: string): Promise<Evaluated> {
  return nix('nix-instantiate', ['--eval', '--strict', '--json', '-E', `let ${prelude} in ${expression}`]);
}

/** Evaluates many expressions in one process; throws when one of them fails. */
export async function evaluateAll(
  expressions: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>> {
  const entries = Object.entries(expressions).map(([name, text]) => `${JSON.stringify(name)} = (${text});`);
  const { code, stdout, stderr } = await evaluate(`with lib; { ${entries.join('\n')} }`);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** Builds a derivation and returns its store path; throws with Nix's words when that fails. */
export async function build(expression: string): Promise<string> {
  const { code, stdout, stderr } = await nix('nix-build', [
    '--no-out-link',
    '-E',
    `let ${prelude} in ${expression}`,
  ]);
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}
