# What every node has in common. What a kind of node adds is in node_type.nix, what one node adds is in node.nix.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cluster = config.infrastructure.cluster;
  # The installer writes the first two on real servers; the rest depends on what the project has.
  optionalFiles = [
    ./hardware-configuration.nix
    ./networking.nix
    ./node_type.nix
    ./app_modules/default.nix
    ./node.nix
  ];
in
{
  imports = [ ./modules ] ++ builtins.filter builtins.pathExists optionalFiles;

  system.stateVersion = cluster.stateVersion;
  networking.hostName = cluster.node.name;

  users.users.root.openssh.authorizedKeys.keys = cluster.sshKeys;
  services.openssh = {
    enable = true;
    settings = {
      PasswordAuthentication = false;
      KbdInteractiveAuthentication = false;
      PermitRootLogin = "prohibit-password";
    };
  };

  networking.firewall = {
    enable = true;
    allowedTCPPorts = [ 22 ];
  };

  nix.settings.experimental-features = [
    "nix-command"
    "flakes"
  ];

  environment.systemPackages = [
    pkgs.git
    pkgs.jq
  ];
}
