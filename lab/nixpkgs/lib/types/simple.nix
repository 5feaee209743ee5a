{ lib, mkOptionType, ... }:
let
  inherit (lib) mergeEqualOption mergeOneOption;

  path = mkOptionType {
    name = "path";
    description = "absolute path";
    descriptionClass = "noun";
    check = v: lib.isStringLike v && builtins.substring 0 1 (toString v) == "/";
    merge = mergeEqualOption;
  };

  # Anything at all, merged by joining sets, lists and equal values: for configuration trees without a schema.
  anything = mkOptionType {
    name = "anything";
    description = "anything";
    descriptionClass = "noun";
    check = _: true;
    merge =
      loc: defs:
      let
        kind = def: if builtins.isAttrs def.value && lib.isStringLike def.value then "stringCoercibleSet" else builtins.typeOf def.value;
        common = lib.foldl' (first: def: if kind def == first then first else throw "The option `${lib.showOption loc}' has conflicting option types in ${lib.options.showFiles (lib.getFiles defs)}") (kind (builtins.head defs)) defs;
        mergers = {
          set = (lib.types.lazyAttrsOf anything).merge;
          list =
            if builtins.length defs > 1 then
              throw "The option `${lib.showOption loc}' has conflicting definitions: lists cannot be merged in type `anything'.${lib.options.showDefs defs}"
            else (lib.types.listOf anything).merge;
          stringCoercibleSet = mergeOneOption;
          lambda =
            loc: defs: arg:
            anything.merge (loc ++ [ "<function body>" ]) (map (def: { inherit (def) file; value = def.value arg; }) defs);
        };
      in
      mergers.${common} or mergeEqualOption loc defs;
  };
in
{
  inherit path anything;

  raw = mkOptionType {
    name = "raw";
    description = "raw value";
    descriptionClass = "noun";
    check = _: true;
    merge = mergeOneOption;
  };
  unspecified = mkOptionType {
    name = "unspecified";
    description = "unspecified value";
    descriptionClass = "noun";
  };
  bool = mkOptionType {
    name = "bool";
    description = "boolean";
    descriptionClass = "noun";
    check = builtins.isBool;
    merge = mergeEqualOption;
  };
  boolByOr = mkOptionType {
    name = "boolByOr";
    description = "boolean (merged using or)";
    descriptionClass = "noun";
    check = builtins.isBool;
    merge = _: defs: builtins.any (def: def.value) defs;
  };
  attrs = mkOptionType {
    name = "attrs";
    description = "attribute set";
    check = builtins.isAttrs;
    merge = _: defs: lib.foldl' (acc: def: acc // def.value) { } defs;
    emptyValue.value = { };
  };
  package = mkOptionType {
    name = "package";
    descriptionClass = "noun";
    check = v: lib.isDerivation v || lib.isStorePath v;
    merge =
      loc: defs:
      let
        v = mergeOneOption loc defs;
      in
      if builtins.isPath v || (builtins.isString v && !(builtins.hasContext v)) then lib.toDerivation v else v;
  };
  shellPackage = mkOptionType {
    name = "shellPackage";
    description = "package with a shellPath attribute";
    descriptionClass = "noun";
    check = v: lib.isDerivation v && v ? shellPath;
    merge = mergeOneOption;
  };
  pkgs = mkOptionType {
    name = "pkgs";
    description = "Nixpkgs package set";
    descriptionClass = "noun";
    check = v: v._type or "" == "pkgs";
    merge = mergeOneOption;
  };
  pathInStore = mkOptionType {
    name = "pathInStore";
    description = "path in the Nix store";
    descriptionClass = "noun";
    check = v: lib.isStringLike v && builtins.match "${builtins.storeDir}/[^.].*" (toString v) != null;
    merge = mergeEqualOption;
  };
  optionType = mkOptionType {
    name = "optionType";
    description = "optionType";
    descriptionClass = "noun";
    check = v: v._type or null == "option-type";
    merge =
      loc: defs:
      if builtins.length defs == 1 then (builtins.head defs).value
      else
        builtins.foldl' (
          acc: def:
          let
            merged = acc.typeMerge def.value;
          in
          if merged == null then throw "The option `${lib.showOption loc}' has conflicting types.${lib.options.showDefs defs}" else merged
        ) (builtins.head defs).value (builtins.tail defs);
  };
}
