# What configurations ask of stdenv: which platform this is. There is no compiler behind it.
{ lib, system, mkHostDerivation, bash }:
let
  cpu = builtins.head (lib.splitString "-" system);
  platform = {
    inherit system;
    config = "${cpu}-unknown-linux-gnu";
    isLinux = true;
    isDarwin = false;
    isx86_64 = cpu == "x86_64";
    isAarch64 = cpu == "aarch64";
    isx86 = cpu == "x86_64";
    isAarch = cpu == "aarch64";
    is64bit = true;
    isGnu = true;
    isMusl = false;
    linuxArch = if cpu == "aarch64" then "arm64" else cpu;
    parsed.cpu.name = cpu;
    uname = {
      system = "Linux";
      processor = cpu;
    };
  };
in
{
  hostPlatform = platform;
  buildPlatform = platform;
  targetPlatform = platform;
  inherit (platform) system isLinux isDarwin isx86_64 isAarch64 is64bit;
  shell = "${bash}/bin/bash";
  mkDerivation =
    args:
    throw "stdenv.mkDerivation is not part of the lab's stand-in nixpkgs (package `${args.name or args.pname or "?"}'): it has no compiler and no sources. Use runCommand, a writer, or a program of the machine.";
}
