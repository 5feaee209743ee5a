# A package here is a small store path whose bin/ points at the machine's own programs. What is built for real are the
# texts: scripts, configuration files, units, environments.
{ system, config, overlays }:
let
  lib = import ../lib;

  base = final: {
    _type = "pkgs";
    inherit lib config system;
    path = ../.;
    callPackage = lib.callPackageWith final;
    newScope = extra: lib.callPackageWith (final // extra);

    stdenv = import ./stdenv.nix { inherit lib system; inherit (final) mkHostDerivation bash; };
    stdenvNoCC = final.stdenv;
    inherit (final.stdenv) hostPlatform buildPlatform targetPlatform;
    buildPackages = final;
    pkgsBuildBuild = final;
  }
  // import ./derivation.nix { inherit lib system; }
  // import ./trivial-builders.nix { inherit lib; pkgs = final; }
  // import ./host-packages.nix { inherit lib; pkgs = final; }
  // {
    formats = import ./formats.nix { inherit lib; pkgs = final; };
    writers = import ./writers.nix { inherit lib; pkgs = final; };
    runtimeShell = "${final.bash}/bin/bash";
    runtimeShellPackage = final.bash;
    bashInteractive = final.bash;
  };
in
lib.fix (lib.foldl' (acc: overlay: lib.extends overlay acc) base overlays)
