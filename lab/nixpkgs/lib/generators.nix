# Values as text of configuration formats.
{ lib }:
let
  inherit (builtins) isAttrs isList;

  valueToString =
    v:
    if v == true then "true"
    else if v == false then "false"
    else if v == null then throw "generators: null has no plain text form"
    else if isList v || (isAttrs v && !(lib.isStringLike v)) || lib.isFunction v then
      throw "generators: a value of type ${builtins.typeOf v} has no plain text form"
    else toString v;
in
rec {
  mkValueStringDefault = _: valueToString;
  mkKeyValueDefault =
    { mkValueString ? valueToString }:
    sep: k: v:
    "${lib.escape [ sep ] k}${sep}${mkValueString v}";

  toKeyValue =
    { mkKeyValue ? mkKeyValueDefault { } "=", listsAsDuplicateKeys ? false, indent ? "" }:
    let
      line = k: v: indent + mkKeyValue k v + "\n";
      lines = if listsAsDuplicateKeys then k: v: map (line k) (lib.toList v) else k: v: [ (line k v) ];
    in
    attrs: lib.concatStrings (lib.concatLists (lib.mapAttrsToList lines attrs));

  toINI =
    {
      mkSectionName ? (name: lib.escape [ "[" "]" ] name),
      mkKeyValue ? mkKeyValueDefault { } "=",
      listsAsDuplicateKeys ? false,
    }:
    attrs:
    lib.concatStringsSep "\n" (
      lib.mapAttrsToList (
        name: values: "[${mkSectionName name}]\n" + toKeyValue { inherit mkKeyValue listsAsDuplicateKeys; } values
      ) attrs
    );
  toINIWithGlobalSection =
    options:
    { globalSection, sections ? { } }:
    (
      if globalSection == { } then ""
      else toKeyValue (builtins.removeAttrs options [ "mkSectionName" ]) globalSection + "\n"
    )
    + toINI options sections;

  toJSON = _: builtins.toJSON;
  toYAML = toJSON;

  # Cuts a tree at a depth, so that an error text never follows an endless value.
  withRecursion =
    { depthLimit, throwOnDepthLimit ? true }:
    let
      go =
        depth: v:
        if depth > depthLimit then
          if throwOnDepthLimit then throw "Exceeded maximum eval-depth limit of ${toString depthLimit} while trying to evaluate with `generators.withRecursion'!"
          else "<unevaluated>"
        else if isList v then map (go (depth + 1)) v
        else if isAttrs v && !(lib.isDerivation v) && !(v ? __functor || v ? __toString || v ? __pretty) then
          lib.mapAttrs (_: go (depth + 1)) v
        else v;
    in
    go 0;

  toPretty =
    { multiline ? true, allowPrettyValues ? false, indent ? "" }:
    let
      go =
        indent: v:
        let
          inner = if multiline then "\n${indent}  " else " ";
          outer = if multiline then "\n${indent}" else " ";
          open = b: "${b}${inner}";
        in
        if builtins.isInt v || builtins.isFloat v then toString v
        else if builtins.isString v then lib.strings.escapeNixString v
        else if v == true then "true"
        else if v == false then "false"
        else if v == null then "null"
        else if builtins.isPath v then toString v
        else if isList v then
          if v == [ ] then "[ ]" else open "[" + lib.concatMapStringsSep inner (go "${indent}  ") v + outer + "]"
        else if lib.isFunction v then
          "<function>"
        else if isAttrs v then
          if allowPrettyValues && v ? __pretty && v ? val then v.__pretty v.val
          else if v == { } then "{ }"
          else if lib.isDerivation v then "<derivation ${v.name or "???"}>"
          else
            open "{"
            + lib.concatStringsSep inner (
              lib.mapAttrsToList (
                n: x:
                "${lib.strings.escapeNixIdentifier n} = ${builtins.addErrorContext "while showing the attribute `${n}'" (go "${indent}  " x)};"
              ) v
            )
            + outer
            + "}"
        else throw "generators.toPretty: cannot show a value of type ${builtins.typeOf v}";
    in
    go indent;
}
