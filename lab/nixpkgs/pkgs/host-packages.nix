# Packages whose programs are the machine's. The list is closed: what is not in it is an error, as a misspelled
# package is on NixOS.
{ lib, pkgs }:
let
  # Folders, not `command -v`: that would find builtins of the shell.
  folders = "/usr/local/bin /usr/local/sbin /usr/bin /usr/sbin /bin /sbin";

  # "name" is a program of the same name; "name=a|b" looks for a, then for b.
  parse =
    spec:
    let
      parts = lib.splitString "=" spec;
    in
    {
      name = builtins.head parts;
      candidates = lib.splitString "|" (lib.last parts);
    };

  linkProgram =
    { name, candidates }:
    "link ${lib.escapeShellArg name} ${lib.escapeShellArgs candidates}\n";

  hostPackage =
    pname:
    {
      programs ? [ pname ],
      version ? "0",
      mainProgram ? (parse (builtins.head programs)).name,
      # More shell: files beside bin/.
      extra ? "",
      priority ? 5,
      passthru ? { },
    }:
    pkgs.mkHostDerivation {
      name = "${pname}-${version}";
      inherit pname version passthru;
      meta = { inherit mainProgram priority; };
      script = ''
        mkdir -p $out/bin
        link() { # NAME CANDIDATE...
          local name=$1 candidate folder; shift
          for candidate; do for folder in ${folders}; do
            if [ -x "$folder/$candidate" ] && [ ! -d "$folder/$candidate" ]; then ln -s "$folder/$candidate" "$out/bin/$name"; return; fi
          done; done
          printf '#!/bin/sh\necho "%s: this machine has no such program (the lab'"'"'s packages are links to Debian'"'"'s)" >&2\nexit 127\n' "$name" > "$out/bin/$name"
          chmod +x "$out/bin/$name"
        }
        ${lib.concatMapStrings (spec: linkProgram (parse spec)) programs}
        ln -s bin $out/sbin
        ${extra}
      '';
    };
in
lib.mapAttrs (
  attr: args: hostPackage (args.pname or attr) (builtins.removeAttrs args [ "pname" ])
) (import ./packages.nix)
