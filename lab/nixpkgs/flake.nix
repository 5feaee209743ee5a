{
  description = "A stand-in for nixpkgs: the module system and the part of NixOS that a lab machine can be";

  outputs =
    { self }:
    let
      lib = import ./lib;
      systems = [ "x86_64-linux" "aarch64-linux" ];
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs systems (system: import ./. { inherit system; });
      nixosModules = { };
    };
}
