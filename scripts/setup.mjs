#!/usr/bin/env node
// What a fresh machine needs before a command of this repository works: npm packages, Debian packages, the bundles
// in dist/. (`nix-infra lab up` makes the rest: confd, flannel, Node 24, the image.) Every step is idempotent, says what it does, and is skipped when its result is there.
// Plain Node without packages, because it is what installs them.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { debianPackages } from './debian-packages.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

function refuse(what, next) {
  console.error(`ERROR: ${what}\n  next:  ${next}`);
  process.exit(1);
}

function preflight() {
  if (process.platform !== 'linux')
    refuse('the lab and its tests need Linux', 'run this on a Linux machine or VM');
  if (process.getuid?.() !== 0)
    refuse('root is needed to run machines and install packages', 'run the same command with sudo');
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    refuse(`Node ${process.versions.node} is too old`, 'install Node 20.19 or newer');
  if (spawnSync('apt-get', ['--version']).error) refuse('apt-get was not found', 'use a Debian-like system');
}

function step(name, done, run) {
  if (done()) return;
  const started = Date.now();
  console.log(`set-up: ${name} …`);
  run();
  console.log(`set-up: ${name} took ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

function quiet(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20, ...options });
  if (result.status !== 0) {
    const tail = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim().split('\n').slice(-20).join('\n');
    refuse(
      `${command} ${args.join(' ')} failed\n${tail}`,
      'correct the cause above and run the same command again',
    );
  }
}

function hashOf(...files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

preflight();

const lockStamp = join(root, 'node_modules', '.nix-infra-lock');
const lockHash = hashOf('package-lock.json');
step(
  'npm packages',
  () => existsSync(lockStamp) && readFileSync(lockStamp, 'utf8') === lockHash,
  () => {
    quiet('npm', ['ci', '--no-audit', '--no-fund']);
    writeFileSync(lockStamp, lockHash);
  },
);

const installed = () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const format = '${Package} ${db:Status-Abbrev}\n';
  const answer = spawnSync('dpkg-query', ['-W', '-f', format, ...debianPackages], { encoding: 'utf8' });
  const have = new Set(
    answer.stdout
      .split('\n')
      .filter((line) => line.includes(' ii'))
      .map((line) => line.split(' ')[0]),
  );
  return debianPackages.filter((name) => !have.has(name));
};
step(
  `Debian packages (${installed().join(' ')})`,
  () => installed().length === 0,
  () => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    quiet('apt-get', ['update', '-q'], { env });
    // policy-rc.d: a package must not start a daemon on the operator's machine just because the lab wants its program.
    const policy = '/usr/sbin/policy-rc.d';
    const ours = !existsSync(policy);
    if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    try {
      quiet('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...debianPackages], { env });
    } finally {
      if (ours) execFileSync('rm', ['-f', policy]);
    }
  },
);

// confd, flannel, Node 24 and the machines' image are made by `nix-infra lab up` (lab/image), which the demo and the lab tests call.
step(
  'bundles in dist/',
  () => false,
  () => quiet('node', ['scripts/build.mjs']),
);
