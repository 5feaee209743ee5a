# Which package set the modules get as `pkgs`.
{ config, lib, options, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.nixpkgs;
  system =
    if options.nixpkgs.hostPlatform.isDefined then cfg.hostPlatform.system or cfg.hostPlatform
    else if options.nixpkgs.system.highestPrio < 1500 then cfg.system
    else
      builtins.currentSystem or (throw "Neither nixpkgs.hostPlatform nor the argument `system' of nixosSystem is set, and a pure evaluation does not know the machine it runs on.");
in
{
  options.nixpkgs = {
    system = mkOption {
      type = types.str;
      default = "x86_64-linux";
      description = "The platform, as older configurations say it.";
    };
    hostPlatform = mkOption {
      type = types.either types.str types.attrs;
      description = "The platform the system runs on.";
    };
    buildPlatform = mkOption {
      type = types.either types.str types.attrs;
      default = system;
      description = "The platform it is built on.";
    };
    config = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      description = "Configuration of the package set (recorded only: nothing here is unfree or broken).";
    };
    overlays = mkOption {
      type = types.listOf (types.uniq (types.functionTo (types.functionTo types.raw)) // { merge = lib.mergeOneOption; });
      default = [ ];
      description = "Changes of the package set.";
    };
    pkgs = mkOption {
      type = types.pkgs;
      description = "The package set itself, instead of the three above.";
    };
  };

  config._module.args.pkgs = lib.mkDefault (
    if options.nixpkgs.pkgs.isDefined then cfg.pkgs
    else import ../../.. { inherit system; inherit (cfg) config overlays; }
  );
}
