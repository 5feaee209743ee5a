# Containers without a daemon.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.infrastructure.podman;
in
{
  options.infrastructure.podman = {
    enable = lib.mkEnableOption "podman";
    dockerRegistryHostPort = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "10.10.3.0:5000";
      description = "The cluster's own registry. Spoken to without TLS: the overlay network encrypts.";
    };
  };

  config = lib.mkIf cfg.enable {
    virtualisation.podman = {
      enable = true;
      dockerCompat = true;
      defaultNetwork.settings.dns_enabled = true;
    };
    virtualisation.containers.registries.insecure = lib.optional (
      cfg.dockerRegistryHostPort != null
    ) cfg.dockerRegistryHostPort;

    environment.systemPackages = [
      pkgs.podman-compose
      pkgs.podman-tui
    ];
  };
}
