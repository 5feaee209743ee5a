import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { evaluate } from './nix.js';

/** What NixOS refuses the stand-in must refuse too, and say where. Name, expression, what the error must contain. */
type Refusal = readonly [name: string, expression: string, ...says: string[]];

const top = (module: string) => `(nixos (${module})).config.system.build.toplevel.drvPath`;
const value = (type: string, v: string) =>
  `(eval [ { options.v = lib.mkOption { type = ${type}; }; } { _file = "f.nix"; v = ${v}; } ]).v`;

const moduleSystem: Refusal[] = [
  ['an unknown option', 'eval [ { _file = "f.nix"; a.b = 1; } ]', "The option `a' does not exist", 'f.nix'],
  [
    'an unknown option inside a submodule',
    value('lib.types.submodule { options.a = lib.mkOption { default = 1; }; }', '{ b = 1; }'),
    "The option `v.b' does not exist",
    'f.nix',
  ],
  [
    'an unknown option under a false mkIf',
    'eval [ { _file = "f.nix"; a = lib.mkIf false 1; } ]',
    "The option `a' does not exist",
  ],
  ['a declaration under config', 'eval [ { config.a = lib.mkOption { }; } ]', 'belongs under `options'],
  [
    'a wrong type',
    value('lib.types.int', '"x"'),
    "A definition for option `v' is not of type `signed integer'",
    'f.nix',
    '"x"',
  ],
  [
    'a wrong element of a list',
    value('lib.types.listOf lib.types.str', '[ "a" 1 ]'),
    'is not of type `string',
    'f.nix',
  ],
  ['a value outside an enum', value('lib.types.enum [ "a" "b" ]', '"c"'), 'one of "a", "b"'],
  ['a port that is none', value('lib.types.port', '70000'), '16 bit unsigned integer'],
  ['a relative path', value('lib.types.path', '"a/b"'), 'absolute path'],
  ['two lines in a singleLineStr', value('lib.types.singleLineStr', '"a\\nb"'), 'single-line string'],
  [
    'two different values',
    '(eval [ { options.v = lib.mkOption { type = lib.types.str; }; } { _file = "f.nix"; v = "a"; } { _file = "g.nix"; v = "b"; } ]).v',
    "The option `v' has conflicting definition values",
    'f.nix',
    'g.nix',
  ],
  [
    'a missing value',
    '(eval [ { options.v = lib.mkOption { type = lib.types.str; }; } ]).v',
    "The option `v' was accessed but has no value defined",
  ],
  [
    'null and not null',
    '(eval [ { options.v = lib.mkOption { type = lib.types.nullOr lib.types.str; }; } { v = null; } { v = "a"; } ]).v',
    'both null and not null',
  ],
  [
    'a read-only option that is set',
    '(eval [ { options.v = lib.mkOption { default = 1; readOnly = true; }; } { v = 2; } ]).v',
    'read-only',
  ],
  [
    'two defaults for one option',
    '(eval [ { options.v = lib.mkOption { default = 1; }; } { options.v = lib.mkOption { default = 2; }; } ]).v',
    'is already declared',
  ],
  [
    'types that cannot be merged',
    '(eval [ { options.v = lib.mkOption { type = lib.types.int; }; } { options.v = lib.mkOption { type = lib.types.str; }; } { v = 1; } ]).v',
    'is already declared',
  ],
  [
    'an option below an option',
    '(eval [ { options.v = lib.mkOption { type = lib.types.int; }; } { options.v.w = lib.mkOption { }; } ]).v',
    'would be a parent of',
  ],
  [
    'a set where a branch of options is expected',
    'eval [ { options.a.b = lib.mkOption { default = 1; }; } { _file = "f.nix"; a = "x"; } ]',
    'f.nix',
    "option `a'",
  ],
  ['a stray name beside config', 'eval [ { config = { }; a = 1; } ]', 'unsupported attribute `a'],
  [
    'a module argument that nobody provides',
    '(eval [ { options.v = lib.mkOption { }; } ({ nobody, ... }: { v = nobody; }) ]).v',
    '`nobody',
  ],
  ['a list as a module', 'eval [ [ { } ] ]', 'nested lists'],
  [
    'a unique option that is set twice',
    '(eval [ { options.v = lib.mkOption { type = lib.types.uniq lib.types.str; }; } { v = "a"; } { v = "a"; } ]).v',
    'expected to be unique',
  ],
  ['an unknown argument of mkOption', 'lib.mkOption { typ = 1; }', 'typ'],
  [
    'a condition that is no boolean',
    '(eval [ { options.v = lib.mkOption { default = 1; }; } { v = lib.mkIf "yes" 2; } ]).v',
    'non-Boolean condition',
  ],
];

const system: Refusal[] = [
  [
    'an unknown NixOS option',
    top('{ networking.hostNam = "x"; }'),
    "The option `networking.hostNam' does not exist",
  ],
  [
    'an unknown option of a unit',
    top('{ systemd.services.a.restartTrigger = [ ]; }'),
    "The option `systemd.services.a.restartTrigger' does not exist",
  ],
  [
    'a wrong type of a NixOS option',
    top('{ networking.firewall.allowedTCPPorts = [ "80" ]; }'),
    '16 bit unsigned integer',
  ],
  [
    'a failed assertion',
    top('{ assertions = [ { assertion = false; message = "no such luck"; } ]; }'),
    'Failed assertions',
    '- no such luck',
  ],
  [
    'a package that is not in the set',
    top('{ pkgs, ... }: { environment.systemPackages = [ pkgs.no-such-package ]; }'),
    'no-such-package',
  ],
  [
    'a machine without a root file system',
    top('{ boot.isContainer = lib.mkForce false; boot.loader.grub.device = "/dev/sda"; }'),
    'does not specify your root file system',
  ],
  [
    'a machine without a boot loader',
    top('{ boot.isContainer = lib.mkForce false; fileSystems."/".device = "/dev/sda1"; }'),
    'boot.loader.grub.devices',
  ],
  [
    'an account that is neither system nor normal',
    top('{ users.users.a.group = "users"; }'),
    'Exactly one of users.users.a.isSystemUser',
  ],
  [
    'an account without a group',
    top('{ users.users.a.isSystemUser = true; }'),
    'users.users.a.group is unset',
  ],
  [
    'a oneshot that restarts always',
    top('{ systemd.services.a.serviceConfig = { Type = "oneshot"; Restart = "always"; }; }'),
    "cannot have 'Restart=always'",
  ],
  [
    'an unknown Type of a service',
    top('{ systemd.services.a.serviceConfig.Type = "oneshott"; }'),
    'systemd.services.a.serviceConfig',
  ],
  [
    'a unit name without a suffix',
    top('{ systemd.services.a.after = [ "network" ]; }'),
    'systemd.services.a.after',
  ],
  [
    'haproxy without a configuration',
    top('{ services.haproxy.enable = true; }'),
    'You must provide services.haproxy.config',
  ],
  [
    'flannel without a network',
    top('{ services.flannel = { enable = true; etcd.endpoints = [ "https://e:2379" ]; }; }'),
    "The option `services.flannel.network' was accessed",
  ],
  [
    'a certificate without accepted terms',
    top(
      '{ security.acme.defaults.email = "a@b.c"; services.nginx = { enable = true; virtualHosts.h = { enableACME = true; forceSSL = true; }; }; }',
    ),
    'terms of service',
  ],
  [
    'one file of /etc twice',
    top(
      '{ environment.etc.a.text = "x"; environment.etc.b = { target = "a"; text = "y"; }; environment.etc.c.source = "x"; }',
    ),
    'environment.etc',
  ],
  [
    'an activation script with an unknown dependency',
    top('{ system.activationScripts.a = { deps = [ "nope" ]; text = ""; }; }'),
    '`nope',
  ],
];

describe('what NixOS refuses', () => {
  it.concurrent.each([...moduleSystem, ...system])('%s', async (_name, expression, ...says) => {
    const { code, stderr } = await evaluate(expression);
    expect(code).not.toBe(0);
    for (const text of says) expect(stderr).toContain(text);
  });
});

describe('where it stands', () => {
  it('names file and line', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'refusal-')), 'node.nix');
    await writeFile(file, '{ ... }:\n{\n  networking.hostNam = 1;\n}\n');
    const { stderr } = await evaluate(top(file));
    expect(stderr).toContain(`In \`${file}:3'`);
  });
});
