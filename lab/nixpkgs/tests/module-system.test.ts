import { beforeAll, describe, expect, it } from 'vitest';
import { evaluateAll } from './nix.js';

/** Name, expression, expected value. Expected values are written from the NixOS manual, not from this implementation. */
type Case = readonly [name: string, expression: string, expected: unknown];

const list = 'options.l = mkOption { type = types.listOf types.str; default = [ ]; };';
const str = 'options.s = mkOption { type = types.str; };';
const evalL = (...modules: string[]) => `(eval [ { ${list} } ${modules.join(' ')} ]).l`;
const evalS = (...modules: string[]) => `(eval [ { ${str} } ${modules.join(' ')} ]).s`;
const typed = (type: string, ...values: string[]) =>
  `(eval [ { options.v = mkOption { type = ${type}; }; } ${values.map((v) => `{ v = ${v}; }`).join(' ')} ]).v`;

const priorities: Case[] = [
  ['a plain definition beats mkDefault', evalS('{ s = mkDefault "low"; }', '{ s = "plain"; }'), 'plain'],
  ['mkForce beats a plain definition', evalS('{ s = mkForce "forced"; }', '{ s = "plain"; }'), 'forced'],
  [
    'mkOverride with the lower number wins',
    evalS('{ s = mkOverride 20 "a"; }', '{ s = mkOverride 30 "b"; }'),
    'a',
  ],
  [
    'mkDefault beats the default of the option',
    '(eval [ { options.s = mkOption { default = "d"; type = types.str; }; } { s = mkDefault "m"; } ]).s',
    'm',
  ],
  [
    'mkOptionDefault joins the default of a list',
    '(eval [ { options.l = mkOption { default = [ "d" ]; type = types.listOf types.str; }; } { l = mkOptionDefault [ "m" ]; } ]).l',
    ['d', 'm'],
  ],
  ['mkVMOverride beats mkForce', evalS('{ s = mkVMOverride "vm"; }', '{ s = mkForce "f"; }'), 'vm'],
  [
    'a priority on a set holds for its members',
    '(eval [ { options.a.b = mkOption { type = types.str; }; } { a = mkForce { b = "f"; }; } { a.b = "p"; } ]).a.b',
    'f',
  ],
  ['an equal definition twice is no conflict', evalS('{ s = "same"; }', '{ s = "same"; }'), 'same'],
];

const conditions: Case[] = [
  ['mkIf true keeps', evalS('{ s = mkIf true "x"; }'), 'x'],
  ['mkIf false drops', evalL('{ l = mkIf false [ "x" ]; }', '{ l = [ "y" ]; }'), ['y']],
  ['mkIf over a whole configuration', evalL('{ config = mkIf true { l = [ "x" ]; }; }'), ['x']],
  [
    'the condition may depend on another option of the same set',
    '(eval [ { options.on = mkOption { type = types.bool; }; options.s = mkOption { type = types.str; default = "d"; }; } ({ config, ... }: { config = mkIf config.on { s = "on"; }; }) { on = true; } ]).s',
    'on',
  ],
  [
    'mkMerge adds up',
    evalL('{ config = mkMerge [ { l = [ "a" ]; } (mkIf false { l = [ "b" ]; }) { l = [ "c" ]; } ]; }'),
    ['a', 'c'],
  ],
  [
    'mkIf inside mkMerge inside a member',
    evalL('{ l = mkMerge [ [ "a" ] (mkIf true [ "b" ]) ]; }'),
    ['a', 'b'],
  ],
  ['an element of a list may be conditional', evalL('{ l = [ "a" (mkIf false "b") "c" ]; }'), ['a', 'c']],
  [
    'a member of attrsOf may be conditional',
    typed('types.attrsOf types.int', '{ a = 1; b = mkIf false 2; }'),
    { a: 1 },
  ],
  [
    'lazyAttrsOf keeps the name of a dropped member',
    `attrNames (${typed('types.lazyAttrsOf (types.nullOr types.int)', '{ a = 1; b = mkIf false 2; }')})`,
    ['a', 'b'],
  ],
];

const ordering: Case[] = [
  ['later modules come first', evalL('{ l = [ "1" ]; }', '{ l = [ "2" ]; }'), ['2', '1']],
  [
    'imports come before the importing module',
    evalL('{ l = [ "1" ]; imports = [ { l = [ "i" ]; } ]; }', '{ l = [ "2" ]; }'),
    ['i', '2', '1'],
  ],
  [
    'mkBefore and mkAfter',
    evalL('{ l = mkAfter [ "z" ]; }', '{ l = [ "m" ]; }', '{ l = mkBefore [ "a" ]; }'),
    ['a', 'm', 'z'],
  ],
  [
    'mkOrder sorts by its number',
    evalL('{ l = mkOrder 1200 [ "c" ]; }', '{ l = mkOrder 100 [ "a" ]; }', '{ l = [ "b" ]; }'),
    ['a', 'b', 'c'],
  ],
  [
    'lines are joined in the same order',
    '(eval [ { options.t = mkOption { type = types.lines; }; } { t = "1"; } { t = mkBefore "0"; } ]).t',
    '0\n1',
  ],
  [
    'a module imported twice counts once',
    'let m = { key = "m"; l = [ "m" ]; }; in (eval [ { options.l = mkOption { type = types.listOf types.str; }; } m { imports = [ m ]; } ]).l',
    ['m'],
  ],
  [
    'the base modules of a submodule come before its definitions',
    '(eval [ { options.s = mkOption { type = types.submodule { options.l = mkOption { type = types.listOf types.str; }; config.l = [ "base" ]; }; }; } { s.l = [ "user" ]; } ]).s.l',
    ['base', 'user'],
  ],
];

const structure: Case[] = [
  [
    'disabledModules removes a module by key',
    evalL('{ key = "k"; l = [ "no" ]; }', '{ disabledModules = [ { key = "k"; } ]; l = [ "yes" ]; }'),
    ['yes'],
  ],
  [
    'what only a disabled module imports goes with it',
    evalL(
      '{ key = "k"; imports = [ { l = [ "no" ]; } ]; }',
      '{ disabledModules = [ { key = "k"; } ]; l = [ "yes" ]; }',
    ),
    ['yes'],
  ],
  [
    '_module.args reach modules by name',
    '(eval [ { options.s = mkOption { type = types.str; }; } { _module.args.word = "w"; } ({ word, ... }: { s = word; }) ]).s',
    'w',
  ],
  [
    'specialArgs may decide imports',
    '(evalModules { specialArgs.extra = { l = [ "e" ]; }; modules = [ { options.l = mkOption { type = types.listOf types.str; }; } ({ extra, ... }: { imports = [ extra ]; }) ]; }).config.l',
    ['e'],
  ],
  [
    'extendModules adds to an evaluation',
    '((evalModules { modules = [ { options.l = mkOption { type = types.listOf types.str; }; config.l = [ "a" ]; } ]; }).extendModules { modules = [ { l = [ "b" ]; } ]; }).config.l',
    ['b', 'a'],
  ],
  [
    'freeformType takes what nobody declared',
    'eval [ { freeformType = types.attrsOf types.int; options.a = mkOption { type = types.str; default = "x"; }; } { b = 1; } ]',
    { a: 'x', b: 1 },
  ],
  [
    'check = false ignores what nobody declared',
    'eval [ { options.a = mkOption { default = 1; }; } { _module.check = false; b = 1; } ]',
    { a: 1 },
  ],
  [
    'two declarations of one option merge their types',
    'attrValues (eval [ { options.e = mkOption { type = types.enum [ "a" ]; }; } { options.e = mkOption { type = types.enum [ "b" ]; }; } { e = "b"; } ])',
    ['b'],
  ],
  [
    'a second module may add options to a submodule',
    '(eval [ { options.s = mkOption { type = types.submodule { options.a = mkOption { default = 1; }; }; default = { }; }; } { options.s = mkOption { type = types.submodule { options.b = mkOption { default = 2; }; }; }; } ]).s',
    { a: 1, b: 2 },
  ],
  [
    'options tell whether and where they are defined',
    'let o = (evalModules { modules = [ { options.a = mkOption { type = types.int; }; options.b = mkOption { type = types.int; default = 1; }; } { _file = "f.nix"; b = 2; } ]; }).options; in [ o.a.isDefined o.b.isDefined o.b.files o.b.highestPrio ]',
    [false, true, ['f.nix'], 100],
  ],
  [
    'apply changes what readers see',
    '(eval [ { options.v = mkOption { type = types.int; apply = x: x + 1; }; } { v = 1; } ]).v',
    2,
  ],
  ['a function may be a module by __functor', evalS('{ __functor = _: { lib, ... }: { s = "f"; }; }'), 'f'],
];

const renames: Case[] = [
  [
    'mkRenamedOptionModule hands the definition on',
    '(eval [ { options.n = mkOption { type = types.str; }; options.warnings = mkOption { type = types.listOf types.str; }; } (mkRenamedOptionModule [ "o" ] [ "n" ]) { o = "v"; } ]).n',
    'v',
  ],
  [
    'and warns',
    '(eval [ { options.n = mkOption { type = types.str; }; options.warnings = mkOption { type = types.listOf types.str; }; } (mkRenamedOptionModule [ "o" ] [ "n" ]) { _file = "f.nix"; o = "v"; } ]).warnings',
    ["The option `o' defined in `f.nix' has been renamed to `n'."],
  ],
  [
    'mkAliasOptionModule keeps the priority',
    '(eval [ { options.n = mkOption { type = types.str; }; } (mkAliasOptionModule [ "o" ] [ "n" ]) { o = mkForce "v"; } { n = "w"; } ]).n',
    'v',
  ],
  [
    'mkRemovedOptionModule fails an assertion',
    'map (a: a.assertion) (eval [ { options.assertions = mkOption { type = types.listOf types.unspecified; }; } (mkRemovedOptionModule [ "o" ] "Use n.") { o = 1; } ]).assertions',
    [false],
  ],
  [
    'mkChangedOptionModule computes the new value',
    '(eval [ { options.n = mkOption { type = types.int; }; options.warnings = mkOption { type = types.listOf types.str; default = [ ]; }; } (mkChangedOptionModule [ "o" ] [ "n" ] (c: c.o * 2)) { o = 2; } ]).n',
    4,
  ],
];

const typeCases: Case[] = [
  ['nullOr', typed('types.nullOr types.int', 'null'), null],
  ['either takes the first type that fits', typed('types.either types.int types.str', '"x"'), 'x'],
  ['oneOf', typed('types.oneOf [ types.int types.bool types.str ]', 'true'), true],
  ['coercedTo converts', typed('types.coercedTo types.str toInt types.int', '"7"'), 7],
  ['attrsOf merges by name', typed('types.attrsOf types.int', '{ a = 1; }', '{ b = 2; }'), { a: 1, b: 2 }],
  ['attrs takes the later one', typed('types.attrs', '{ a = 1; }', '{ b = 2; }'), { a: 1, b: 2 }],
  ['anything merges trees', typed('types.anything', '{ a.b = 1; }', '{ a.c = 2; }'), { a: { b: 1, c: 2 } }],
  [
    'submodule fills in defaults and knows its name',
    typed(
      'types.attrsOf (types.submodule ({ name, ... }: { options.n = mkOption { default = name; }; }))',
      '{ x = { }; }',
    ),
    { x: { n: 'x' } },
  ],
  [
    'submodule as a function',
    typed('types.submodule { options.a = mkOption { type = types.int; }; }', '({ lib, ... }: { a = 3; })'),
    { a: 3 },
  ],
  [
    'freeform submodule',
    typed(
      'types.submodule { freeformType = types.attrsOf types.int; options.a = mkOption { default = 1; }; }',
      '{ b = 2; }',
    ),
    { a: 1, b: 2 },
  ],
  [
    'functionTo merges results',
    `(${typed('types.functionTo (types.listOf types.int)', '(x: [ x ])', '(x: [ (x + 1) ])')}) 1`,
    [2, 1],
  ],
  ['singleLineStr cuts one newline', typed('types.singleLineStr', '"a\\n"'), 'a'],
  ['separatedString', typed('types.separatedString ":"', '"a"', '"b"'), 'b:a'],
  ['strMatching', typed('types.strMatching "[a-z]+"', '"abc"'), 'abc'],
  ['ints.between', typed('types.ints.between 1 5', '5'), 5],
  [
    'nested lists of submodules',
    typed('types.listOf (types.submodule { options.a = mkOption { default = 1; }; })', '[ { } { a = 2; } ]'),
    [{ a: 1 }, { a: 2 }],
  ],
  [
    'deferredModule is imported later',
    `(eval [ { options.v = mkOption { type = types.int; }; imports = [ (${typed('types.deferredModule', '{ v = 4; }')}) ]; } ]).v`,
    4,
  ],
  ['a package stays a package', `(${typed('types.package', 'pkgs.jq')}).pname`, 'jq'],
  [
    'descriptions read as in the manual',
    'map (t: t.description) [ (types.listOf types.str) (types.attrsOf types.int) (types.nullOr types.path) (types.enum [ "a" "b" ]) types.port ]',
    [
      'list of string',
      'attribute set of signed integer',
      'null or absolute path',
      'one of "a", "b"',
      '16 bit unsigned integer; between 0 and 65535 (both inclusive)',
    ],
  ],
];

const library: Case[] = [
  [
    'escapeShellArg quotes only what needs it',
    'map escapeShellArg [ "a.b-c" "a b" "it\'s" "" ]',
    ['a.b-c', "'a b'", "'it'\\''s'", "''"],
  ],
  ['splitString', 'splitString "." "a..b"', ['a', '', 'b']],
  ['recursiveUpdate', 'recursiveUpdate { a = { b = 1; c = 1; }; } { a.c = 2; }', { a: { b: 1, c: 2 } }],
  ['generators.toINI', 'generators.toINI { } { s = { a = 1; b = true; }; }', '[s]\na=1\nb=true\n'],
  [
    'generators.toKeyValue with lists',
    'generators.toKeyValue { listsAsDuplicateKeys = true; } { a = [ 1 2 ]; }',
    'a=1\na=2\n',
  ],
  ['makeBinPath', 'makeBinPath [ "/a" "/b" ]', '/a/bin:/b/bin'],
  ['versionAtLeast', '[ (versionAtLeast "25.05" "24.11") (versionAtLeast "24.05" "24.11") ]', [true, false]],
  ['concatMapAttrs', 'concatMapAttrs (n: v: genAttrs [ n (n + "2") ] (_: v)) { a = 1; }', { a: 1, a2: 1 }],
  [
    'names that nixpkgs keeps in lib.strings are only there',
    '[ (lib ? trim) (lib ? escapeNixString) (lib ? sanitizeDerivationName) (lib.strings ? sanitizeDerivationName) ]',
    [false, false, false, true],
  ],
  ['fixedWidthNumber', 'fixedWidthNumber 3 7', '007'],
  [
    "mapAttrs' and filterAttrs",
    'mapAttrs\' (n: v: nameValuePair ("x" + n) v) (filterAttrs (_: v: v > 1) { a = 1; b = 2; })',
    { xb: 2 },
  ],
  [
    'toPretty',
    'generators.toPretty { multiline = false; } { a = [ 1 "x" ]; b = null; }',
    '{ a = [ 1 "x" ]; b = null; }',
  ],
];

const groups = { priorities, conditions, ordering, structure, renames, types: typeCases, library };

describe('the module system', () => {
  let results: Record<string, unknown> = {};
  beforeAll(async () => {
    const cases = Object.entries(groups).flatMap(([group, table]) =>
      table.map(([name, text]) => [`${group}: ${name}`, text]),
    );
    results = await evaluateAll(Object.fromEntries(cases));
  });

  for (const [group, table] of Object.entries(groups)) {
    it.each(table)(`${group}: %s`, (name, _expression, expected) => {
      expect(results[`${group}: ${name}`]).toEqual(expected);
    });
  }
});
