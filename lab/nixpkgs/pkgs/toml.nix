# TOML text of a set: plain keys first, then tables, as the format wants it.
{ lib }:
let
  inherit (builtins) isAttrs isList toJSON;

  key = name: if builtins.match "[A-Za-z0-9_-]+" name != null then name else toJSON name;
  isTable = v: isAttrs v && !(lib.isStringLike v);
  isTableList = v: isList v && v != [ ] && lib.all isTable v;

  inline =
    v:
    if isTable v then "{ ${lib.concatStringsSep ", " (lib.mapAttrsToList (n: x: "${key n} = ${inline x}") v)} }"
    else if isList v then "[${lib.concatMapStringsSep ", " inline v}]"
    else if lib.isStringLike v then toJSON (toString v)
    else toJSON v;

  table =
    path: attrs:
    let
      present = lib.filterAttrs (_: v: v != null) attrs;
      plain = lib.filterAttrs (_: v: !(isTable v || isTableList v)) present;
      tables = lib.filterAttrs (_: isTable) present;
      lists = lib.filterAttrs (_: isTableList) present;
      name = n: lib.concatMapStringsSep "." key (path ++ [ n ]);
    in
    lib.concatStrings (
      lib.mapAttrsToList (n: v: "${key n} = ${inline v}\n") plain
      ++ lib.mapAttrsToList (n: v: "\n[${name n}]\n${table (path ++ [ n ]) v}") tables
      ++ lib.mapAttrsToList (n: lib.concatMapStrings (v: "\n[[${name n}]]\n${table (path ++ [ n ]) v}")) lists
    );
in
table [ ]
