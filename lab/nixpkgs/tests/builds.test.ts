import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { build } from './nix.js';

/** A first build of the packages takes a second or two; the rest of these is milliseconds. */
const buildMs = 60_000;

describe('packages', () => {
  it('are links to the programs of the machine, and say so where there is none', {
    timeout: buildMs,
  }, async () => {
    const path = await build('pkgs.linkFarm "p" { coreutils = pkgs.coreutils; tui = pkgs.podman-tui; }');
    expect(readlinkSync(join(path, 'coreutils/bin/ls'))).toMatch(/^\/(usr\/)?bin\/ls$/);
    // A builtin of the shell is a program too.
    expect(readlinkSync(join(path, 'coreutils/bin/false'))).toMatch(/^\/(usr\/)?bin\/false$/);
    const stub = join(path, 'tui/bin/podman-tui');
    if (lstatSync(stub).isSymbolicLink()) return;
    expect(() => execFileSync(stub, { stdio: 'pipe' })).toThrow(/no such program/);
  });

  it('writers and trees', { timeout: buildMs }, async () => {
    const path = await build(`pkgs.symlinkJoin { name = "t"; paths = [
      (pkgs.writeShellApplication { name = "app"; runtimeInputs = [ pkgs.coreutils ]; text = "echo \\"$1\\""; })
      (pkgs.writeTextDir "etc/x/y" "text\\n")
      (pkgs.writeShellScriptBin "app" "echo second")
    ]; }`);
    expect(execFileSync(join(path, 'bin/app'), ['hi'], { encoding: 'utf8' })).toBe('hi\n');
    expect(readFileSync(join(path, 'etc/x/y'), 'utf8')).toBe('text\n');
  });

  it('a script with a syntax error is not built', { timeout: buildMs }, async () => {
    await expect(build('pkgs.writeShellScript "bad" "if true"')).rejects.toThrow(/syntax error/);
  });

  it('formats', { timeout: buildMs }, async () => {
    const path = await build(`pkgs.linkFarm "f" {
      json = (pkgs.formats.json { }).generate "j" { b = 1; a = [ true null ]; };
      toml = (pkgs.formats.toml { }).generate "t" { x = "y"; s.l = [ 1 2 ]; t = [ { n = 1; } { n = 2; } ]; };
    }`);
    expect(JSON.parse(readFileSync(join(path, 'json'), 'utf8'))).toEqual({ a: [true, null], b: 1 });
    expect(readFileSync(join(path, 'toml'), 'utf8')).toBe(
      'x = "y"\n\n[s]\nl = [1, 2]\n\n[[t]]\nn = 1\n\n[[t]]\nn = 2\n',
    );
  });
});

describe('a system', () => {
  it('has everything that a switch needs', { timeout: buildMs }, async () => {
    const path = await build(`(nixos {
      systemd.services.a = { script = "echo hi"; wantedBy = [ "multi-user.target" ]; };
      systemd.services.off.enable = false;
      systemd.services.systemd-journald.environment.A = "1";
      environment.etc."dir/file".text = "content";
      environment.etc.copy = { text = "c"; mode = "0600"; user = "nobody"; };
    }).config.system.build.toplevel`);
    expect(readdirSync(path)).toEqual(
      expect.arrayContaining([
        'activate',
        'bin',
        'dry-activate',
        'etc',
        'kernel-params',
        'nixos-version',
        'sw',
        'system',
        'systemd',
      ]),
    );
    const units = join(path, 'etc/systemd/system');
    expect(readFileSync(join(units, 'a.service'), 'utf8')).toContain('unit-script-a-start');
    expect(readlinkSync(join(units, 'multi-user.target.wants/a.service'))).toBe('../a.service');
    expect(execFileSync('readlink', ['-f', join(units, 'off.service')], { encoding: 'utf8' })).toBe(
      '/dev/null\n',
    );
    expect(readFileSync(join(path, 'etc/dir/file'), 'utf8')).toBe('content');
    const entries = readFileSync(join(readlinkSync(join(path, 'etc')), '../entries'), 'utf8');
    expect(entries).toContain('copy\t0600\tnobody\t+0\n');
    // Debian's own folder stays a folder: every unit is placed by itself.
    expect(entries).toContain('systemd/system/a.service\tsymlink');
    expect(entries).not.toMatch(/^systemd\/system\t/m);
    execFileSync('bash', ['-n', join(path, 'activate')]);
  });
});
