# pkgs.formats: a type for settings and a generator for the file. YAML is written as JSON, which YAML readers read.
{ lib, pkgs }:
let
  inherit (lib) types;

  jsonLike =
    name:
    let
      value = types.nullOr (
        types.oneOf [
          types.bool
          types.int
          types.float
          types.str
          types.path
          (types.attrsOf value)
          (types.listOf value)
        ]
      ) // { description = "${name} value"; };
    in
    value;

  json = { }: {
    type = jsonLike "JSON";
    generate = name: value: pkgs.runCommand name { inherit (pkgs) jq; text = builtins.toJSON value; passAsFile = [ "text" ]; } ''
      $jq/bin/jq . "$textPath" > $out
    '';
  };

  atom = types.nullOr (types.oneOf [ types.bool types.int types.float types.str ]) // {
    description = "INI atom (null, bool, int, float or string)";
  };
  atomOrList = lists: if lists then types.coercedTo atom lib.singleton (types.listOf atom) else atom;
in
{
  inherit json;
  yaml = { }: { type = jsonLike "YAML"; inherit (json { }) generate; };
  yaml_1_1 = { }: { type = jsonLike "YAML 1.1"; inherit (json { }) generate; };

  ini =
    { listsAsDuplicateKeys ? false, listToValue ? null, ... }@args:
    {
      type = types.attrsOf (types.attrsOf (atomOrList listsAsDuplicateKeys));
      generate = name: value: pkgs.writeText name (
        lib.generators.toINI (builtins.removeAttrs args [ "listToValue" ]) (
          if listToValue == null then value
          else lib.mapAttrs (_: lib.mapAttrs (_: v: if builtins.isList v then listToValue v else v)) value
        )
      );
    };

  keyValue =
    { listsAsDuplicateKeys ? false, listToValue ? null, ... }@args:
    {
      type = types.attrsOf (atomOrList listsAsDuplicateKeys);
      generate = name: value: pkgs.writeText name (
        lib.generators.toKeyValue (builtins.removeAttrs args [ "listToValue" ]) (
          if listToValue == null then value
          else lib.mapAttrs (_: v: if builtins.isList v then listToValue v else v) value
        )
      );
    };

  toml = { }: {
    type = types.oneOf [ types.bool types.int types.float types.str types.path (types.attrsOf types.anything) (types.listOf types.anything) ] // {
      description = "TOML value";
    };
    generate = name: value: pkgs.writeText name (import ./toml.nix { inherit lib; } value);
  };
}
