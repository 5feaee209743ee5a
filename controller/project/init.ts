/** `init`: makes a project folder from the template. Every part that exists is kept. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ensureAuthority } from '../pki/authority.js';
import { generateSshKey } from '../provision/ssh.js';
import { parseClusterConfig } from './cluster-config.js';
import { parseDotenv, withVariables } from './dotenv.js';
import { packageRoot } from './install.js';

export interface InitOptions {
  /** The folder; made when it is not there. */
  dir: string;
  /** Absolute path of the .env file; default `<dir>/.env`. */
  envFile?: string | undefined;
  /** Name of the key in ssh/; default the SSH_KEY of .env, else `nixinfra`. */
  sshKey?: string | undefined;
  /** Comment of the key. */
  sshEmail?: string | undefined;
  /** False leaves the CA away. */
  certificates: boolean;
  /** Told a line for each part that was made or kept. */
  report: (line: string) => void;
}

/** Throws `pki.password` when ca/ exists and .env has other passwords. */
export async function initProject(options: InitOptions): Promise<void> {
  const { dir, report } = options;
  await mkdir(dir, { recursive: true });
  const root = packageRoot();
  const sources = [
    { from: join(root, 'nixos'), to: dir },
    { from: join(root, 'app_modules'), to: join(dir, 'app_modules') },
    { from: join(root, 'nodes'), to: join(dir, 'nodes') },
  ];
  const counts = { made: 0, kept: 0 };
  for (const { from, to } of sources) await copyMissing(from, to, counts);
  report(`template: ${counts.made} files made, ${counts.kept} kept`);

  const env = await ensureEnv(options);
  await ensureKeyPair(dir, env.SSH_KEY ?? 'nixinfra', options);
  await ensureIgnored(dir);
  if (!options.certificates) return;
  const cluster = parseClusterConfig(await readFile(join(dir, 'cluster.yaml'), 'utf8')).name;
  const existed = existsSync(join(dir, 'ca', 'certs', 'ca.cert.pem'));
  await ensureAuthority(dir, {
    cluster,
    caPass: env.CA_PASS ?? '',
    intermediatePass: env.INTERMEDIATE_CA_PASS ?? '',
    ...(env.CERT_EMAIL ? { email: env.CERT_EMAIL } : {}),
    ...(env.CERT_COMPANY ? { company: env.CERT_COMPANY } : {}),
  });
  report(existed ? 'CA already exists, skipping creation' : 'CA created in ca/');
}

async function copyMissing(from: string, to: string, counts: { made: number; kept: number }): Promise<void> {
  for (const name of (await readdir(from)).sort()) {
    const [source, target] = [join(from, name), join(to, name)];
    const info = await stat(source);
    if (info.isDirectory()) {
      await copyMissing(source, target, counts);
    } else if (existsSync(target)) {
      counts.kept += 1;
    } else {
      await mkdir(dirname(target), { recursive: true });
      await copyFile(source, target);
      await chmod(target, info.mode & 0o100 ? 0o755 : 0o644);
      counts.made += 1;
    }
  }
}

/** The variables of .env after adding passwords that are missing in it and in the environment. */
async function ensureEnv({
  dir,
  envFile,
  sshKey,
  report,
}: InitOptions): Promise<Record<string, string | undefined>> {
  const path = envFile ?? join(dir, '.env');
  const text = await readFile(path, 'utf8').catch(() => '');
  const set: Record<string, string | undefined> = { ...process.env, ...parseDotenv(text, process.env) };
  const password = () => randomBytes(24).toString('base64url');
  const wanted: Record<string, string> = {
    SSH_KEY: sshKey ?? 'nixinfra',
    CA_PASS: password(),
    INTERMEDIATE_CA_PASS: password(),
    SECRETS_PASS: password(),
  };
  const added = Object.fromEntries(Object.entries(wanted).filter(([key]) => !set[key]));
  const changed = withVariables(text, added);
  if (changed !== text || !existsSync(path)) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, changed, { mode: 0o600 });
    report(`.env: added ${Object.keys(added).join(', ')}`);
  }
  return { ...set, ...added, ...(sshKey ? { SSH_KEY: sshKey } : {}) };
}

async function ensureKeyPair(dir: string, name: string, { sshEmail, report }: InitOptions): Promise<void> {
  const path = join(dir, 'ssh', name);
  if (existsSync(path)) return report(`SSH key ${name} exists`);
  await mkdir(join(dir, 'ssh'), { recursive: true, mode: 0o700 });
  const { privateKey, publicKey } = generateSshKey(sshEmail ?? name);
  await writeFile(path, privateKey, { mode: 0o600 });
  await writeFile(`${path}.pub`, `${publicKey.trim()}\n`);
  report(`Creating SSH key ${name}`);
}

/** Keys and passwords must not be committed by accident. */
async function ensureIgnored(dir: string): Promise<void> {
  const path = join(dir, '.gitignore');
  if (existsSync(path)) return;
  await writeFile(path, ['.env', 'ssh/', 'ca/', 'secrets/', ''].join('\n'));
}
