# Names of units.
{ lib }:
rec {
  unitNameType = lib.types.strMatching "[a-zA-Z0-9@%:_.\\-]+[.](service|socket|device|mount|automount|swap|target|path|timer|scope|slice)";

  pathSafe = lib.replaceStrings [ "@" ":" "\\" "[" "]" ] [ "-" "-" "-" "" "" ];

  # What systemd-escape --path does.
  escapePath =
    path:
    let
      trimmed = lib.removeSuffix "/" (lib.removePrefix "/" path);
      first = lib.substring 0 1 trimmed;
      escapeChar = c: if builtins.match "[A-Za-z0-9:_.]" c != null then c else if c == "/" then "-" else escapes.${c} or (throw "lab: cannot escape `${c}' in the path ${path}");
      escapes = {
        "-" = "\\x2d";
        " " = "\\x20";
        "+" = "\\x2b";
        "@" = "\\x40";
        "," = "\\x2c";
        "=" = "\\x3d";
        "~" = "\\x7e";
      };
    in
    if trimmed == "" then "-"
    else if first == "." then "\\x2e" + lib.concatMapStrings escapeChar (lib.tail (lib.stringToCharacters trimmed))
    else lib.concatMapStrings escapeChar (lib.stringToCharacters trimmed);
}
