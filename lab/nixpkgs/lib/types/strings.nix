{ lib, mkOptionType, ... }:
let
  inherit (lib) mergeEqualOption;

  str = mkOptionType {
    name = "str";
    description = "string";
    descriptionClass = "noun";
    check = builtins.isString;
    merge = mergeEqualOption;
  };

  separatedString =
    sep:
    mkOptionType {
      name = "separatedString";
      description = if sep == "" then "Concatenated string" else "strings concatenated with ${builtins.toJSON sep}";
      descriptionClass = "noun";
      check = builtins.isString;
      merge = _: defs: lib.concatStringsSep sep (lib.getValues defs);
    };

  strMatching =
    pattern:
    mkOptionType {
      name = "strMatching ${lib.strings.escapeNixString pattern}";
      description = "string matching the pattern ${pattern}";
      descriptionClass = "noun";
      check = v: str.check v && builtins.match pattern v != null;
      inherit (str) merge;
    };

  oneLine = v: builtins.match "[^\n\r]*\n?" v != null;
in
{
  inherit str separatedString strMatching;
  string = throw "The type `types.string' has been removed; use `types.str' or `types.separatedString'.";
  lines = separatedString "\n";
  commas = separatedString ",";
  envVar = separatedString ":";
  nonEmptyStr = mkOptionType {
    name = "nonEmptyStr";
    description = "non-empty string";
    descriptionClass = "noun";
    check = v: str.check v && builtins.match "[ \t\n]*" v == null;
    inherit (str) merge;
  };
  # One trailing newline is tolerated and cut off, so that `readFile` of a one-line file works.
  singleLineStr = mkOptionType {
    name = "singleLineStr";
    description = "(optionally newline-terminated) single-line string";
    descriptionClass = "noun";
    check = v: str.check v && oneLine v;
    merge = loc: defs: lib.removeSuffix "\n" (mergeEqualOption loc defs);
  };
  passwdEntry =
    type:
    type
    // {
      name = "passwdEntry ${type.name}";
      description = "${type.description}, not containing newlines or colons";
      check = v: type.check v && builtins.match "[^:\n]*" (toString v) != null;
    };
}
