# pkgs.writers: scripts in other languages, with the machine's interpreter.
{ lib, pkgs }:
let
  script = interpreter: name: text: pkgs.writeScript (baseNameOf name) "#!${interpreter}\n${text}";
in
{
  writeBash = script pkgs.runtimeShell;
  writeBashBin = pkgs.writeShellScriptBin;
  writeDash = script "/bin/sh";
  writeJS = name: _: script "${pkgs.nodejs}/bin/node" name;
  writeText = pkgs.writeText;
  writeJSON = name: value: pkgs.writeText name (builtins.toJSON value);
}
