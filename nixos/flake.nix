{
  description = "One node of a nix-infra cluster: what stands in its /etc/nixos";

  # The only input: every further one is a download that can fail while a node is being repaired.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-[%%nixVersion%%]";

  outputs =
    { nixpkgs, ... }:
    let
      cluster = builtins.fromJSON (builtins.readFile ./cluster.json);
    in
    {
      nixosConfigurations.${cluster.node.name} = nixpkgs.lib.nixosSystem {
        system = cluster.system or "x86_64-linux";
        modules = [ ./configuration.nix ];
      };
    };
}
