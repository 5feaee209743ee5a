# `nix-build '<nixpkgs/nixos>' -A system -I nixos-config=FILE`
{ configuration ? <nixos-config>, system ? builtins.currentSystem }:
let
  eval = import ./lib/eval-config.nix {
    inherit system;
    modules = [ configuration ];
  };
in
{
  inherit (eval) pkgs config options;
  system = eval.config.system.build.toplevel;
}
