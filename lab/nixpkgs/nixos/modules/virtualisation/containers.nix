# virtualisation.{containers,podman,docker}: podman is Debian's; its registries and storage are written here.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.virtualisation;
  toml = pkgs.formats.toml { };
  bool = default: description: mkOption { type = types.bool; inherit default description; };
  strings = default: description: mkOption { type = types.listOf types.str; inherit default description; };
in
{
  options.virtualisation = {
    containers = {
      enable = bool false "Whether the common files of containers are written.";
      registries = {
        search = strings [ "docker.io" "quay.io" ] "Registries for names without one.";
        insecure = strings [ ] "Registries without TLS.";
        block = strings [ ] "Registries that are not used.";
      };
      policy = mkOption { type = types.attrs; default = { }; description = "Which images are trusted."; };
      containersConf.settings = mkOption { type = toml.type; default = { }; description = "containers.conf."; };
      containersConf.cniPlugins = mkOption { type = types.listOf types.package; default = [ ]; description = "Recorded only."; };
      storage.settings = mkOption {
        type = toml.type;
        default.storage = {
          driver = "overlay";
          graphroot = "/var/lib/containers/storage";
          runroot = "/run/containers/storage";
        };
        description = "storage.conf.";
      };
    };
    podman = {
      enable = bool false "Whether podman is there.";
      package = lib.mkPackageOption pkgs "podman" { };
      dockerCompat = bool false "Whether `docker` is podman.";
      dockerSocket.enable = bool false "Recorded only.";
      enableNvidia = bool false "Recorded only.";
      extraPackages = mkOption { type = types.listOf types.package; default = [ ]; description = "Packages in podman's path."; };
      autoPrune = {
        enable = bool false "Whether unused images are removed.";
        flags = strings [ ] "Flags of prune.";
        dates = mkOption { type = types.str; default = "weekly"; description = "When."; };
      };
      defaultNetwork.settings = mkOption { type = (pkgs.formats.json { }).type; default = { }; description = "The network `podman`."; };
      networkSocket.enable = bool false "Recorded only.";
    };
    docker = {
      enable = bool false "Whether docker runs.";
      package = lib.mkPackageOption pkgs "docker" { };
      enableOnBoot = bool true "Recorded only.";
    };
    oci-containers.backend = mkOption { type = types.enum [ "podman" "docker" ]; default = "podman"; description = "Which program runs containers (the containers option itself is not part of the stand-in)."; };
  };

  config = lib.mkMerge [
    (lib.mkIf cfg.podman.enable {
      virtualisation.containers.enable = true;
      assertions = [
        {
          assertion = cfg.podman.dockerCompat -> !cfg.docker.enable;
          message = "Option dockerCompat conflicts with docker";
        }
      ];
      environment.systemPackages = [ cfg.podman.package ]
        ++ cfg.podman.extraPackages
        ++ lib.optional cfg.podman.dockerCompat (
          pkgs.writeShellScriptBin "docker" ''exec ${cfg.podman.package}/bin/podman "$@"''
        );
      systemd.services.podman-prune = lib.mkIf cfg.podman.autoPrune.enable {
        description = "Prune podman resources";
        restartIfChanged = false;
        unitConfig.X-StopOnRemoval = false;
        serviceConfig = {
          Type = "oneshot";
          ExecStart = "${cfg.podman.package}/bin/podman system prune -f ${toString cfg.podman.autoPrune.flags}";
        };
        startAt = [ cfg.podman.autoPrune.dates ];
        after = [ "podman.service" ];
      };
      # netavark reads the settings of the default network from a file of that name.
      environment.etc."containers/networks/podman.json".source =
        (pkgs.formats.json { }).generate "podman.json" (
          {
            dns_enabled = false;
            driver = "bridge";
            id = "0000000000000000000000000000000000000000000000000000000000000000";
            internal = false;
            ipam_options.driver = "host-local";
            ipv6_enabled = false;
            name = "podman";
            network_interface = "podman0";
            subnets = [ { gateway = "10.88.0.1"; subnet = "10.88.0.0/16"; } ];
          }
          // cfg.podman.defaultNetwork.settings
        );
    })
    (lib.mkIf cfg.containers.enable {
      environment.etc."containers/registries.conf".source = toml.generate "registries.conf" {
        registries = lib.mapAttrs (_: registries: { inherit registries; }) cfg.containers.registries;
      };
      # Debian's storage.conf and containers.conf fit the machine (no kernel overlay, no pids controller); ours come as
      # drop-ins and only say what the configuration says.
      environment.etc."containers/containers.conf.d/nixos.conf" = lib.mkIf (cfg.containers.containersConf.settings != { }) {
        source = toml.generate "containers.conf" cfg.containers.containersConf.settings;
      };
      environment.etc."containers/policy.json".text = builtins.toJSON (
        if cfg.containers.policy != { } then cfg.containers.policy else { default = [ { type = "insecureAcceptAnything"; } ]; }
      );
    })
  ];
}
