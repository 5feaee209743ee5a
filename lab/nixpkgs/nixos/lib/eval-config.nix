# One NixOS system from its modules: what `lib.nixosSystem` calls.
{
  lib ? import ../../lib,
  # null: the modules say it themselves (nixpkgs.hostPlatform or nixpkgs.system).
  system ? null,
  pkgs ? null,
  modules,
  extraModules ? [ ],
  baseModules ? import ../modules/module-list.nix,
  specialArgs ? { },
  prefix ? [ ],
  modulesLocation ? null,
  check ? true,
}:
let
  fromArguments = {
    _file = "arguments of nixosSystem";
    config = lib.mkMerge [
      (lib.mkIf (system != null) { nixpkgs.system = lib.mkDefault system; })
      (lib.mkIf (pkgs != null) { nixpkgs.pkgs = lib.mkDefault pkgs; })
      { _module.check = check; }
    ];
  };
  located = if modulesLocation == null then modules else map (lib.setDefaultModuleLocation modulesLocation) modules;

  evaluated = lib.evalModules {
    inherit prefix;
    class = "nixos";
    specialArgs = {
      modulesPath = toString ../modules;
    }
    // specialArgs;
    modules = baseModules ++ extraModules ++ [ fromArguments ] ++ located;
  };
in
evaluated
// {
  inherit (evaluated._module.args) pkgs;
  inherit lib extraModules modules;
}
