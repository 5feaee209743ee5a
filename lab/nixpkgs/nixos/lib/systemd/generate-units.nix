# The folder /etc/systemd/system of a system: one link per unit, drop-ins, and the links of wantedBy and its siblings.
{ lib, pkgs }:
let
  names = import ./names.nix { inherit lib; };
  q = lib.escapeShellArg;

  makeUnit =
    name: unit:
    pkgs.mkHostDerivation {
      name = "unit-${names.pathSafe name}${lib.optionalString (!unit.enable) "-disabled"}";
      text = lib.optionalString (unit.text != null) unit.text;
      passAsFile = [ "text" ];
      unitName = name;
      script = ''
        mkdir -p "$out"
        ${if unit.enable then ''mv "$textPath" "$out/$unitName"'' else ''ln -s /dev/null "$out/$unitName"''}
      '';
    };

  dependencyLinks =
    folder: attr: units:
    lib.concatStrings (
      lib.mapAttrsToList (
        name: unit:
        lib.concatMapStrings (other: ''
          mkdir -p $out/${q "${other}.${folder}"}
          ln -sfn ../${q name} $out/${q "${other}.${folder}"}/
        '') unit.${attr}
      ) units
    );

  # A unit of systemd itself is extended, not replaced. Debian's units of daemons do not count: on NixOS they do not exist.
  place =
    name: unit:
    if unit.overrideStrategy == "asDropin" then "dropin ${unit.unit} ${q name}\n" else "place ${unit.unit} ${q name}\n";
in
{
  inherit makeUnit;

  generateUnits =
    units:
    pkgs.runCommand "system-units" { } ''
      mkdir -p $out
      dropin() { mkdir -p "$out/$2.d"; ln -s "$1/$2" "$out/$2.d/overrides.conf"; }
      ofSystemd() {
        [ -e "/usr/lib/systemd/system/$1" ] || return 1
        case $1 in systemd-* | *.target | *.slice | getty@* | tmp.mount) return 0 ;; *) return 1 ;; esac
      }
      place() {
        if ofSystemd "$2" && [ ! -L "$1/$2" ]; then dropin "$@"; else ln -s "$1/$2" "$out/$2"; fi
      }
      ${lib.concatStrings (lib.mapAttrsToList place units)}
      ${lib.concatStrings (
        lib.mapAttrsToList (
          name: unit: lib.concatMapStrings (alias: "ln -sfn ${q name} $out/${q alias}\n") unit.aliases
        ) units
      )}
      ${dependencyLinks "wants" "wantedBy" units}
      ${dependencyLinks "upholds" "upheldBy" units}
      ${dependencyLinks "requires" "requiredBy" units}
    '';
}
