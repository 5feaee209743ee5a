# services.dockerRegistry: options, configuration file and units of the NixOS module.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.services.dockerRegistry;

  registryConfig = {
    version = "0.1";
    log.fields.service = "registry";
    storage = {
      cache.blobdescriptor = if cfg.enableRedisCache then "redis" else "inmemory";
      delete.enabled = cfg.enableDelete;
    }
    // lib.optionalAttrs (cfg.storagePath != null) { filesystem.rootdirectory = cfg.storagePath; };
    http = {
      addr = "${cfg.listenAddress}:${toString cfg.port}";
      headers.X-Content-Type-Options = [ "nosniff" ];
    };
    health.storagedriver = {
      enabled = true;
      interval = "10s";
      threshold = 3;
    };
  }
  // lib.optionalAttrs cfg.enableRedisCache {
    redis = {
      addr = cfg.redisUrl;
      password = cfg.redisPassword;
      db = 0;
      dialtimeout = "10ms";
      readtimeout = "10ms";
      writetimeout = "10ms";
      pool = {
        maxidle = 16;
        maxactive = 64;
        idletimeout = "300s";
      };
    };
  };
in
{
  options.services.dockerRegistry = {
    enable = lib.mkEnableOption "Docker Registry";
    package = lib.mkPackageOption pkgs "docker-distribution" { };
    listenAddress = mkOption { type = types.str; default = "127.0.0.1"; description = "Address it listens on."; };
    port = mkOption { type = types.port; default = 5000; description = "Port it listens on."; };
    openFirewall = mkOption { type = types.bool; default = false; description = "Whether the port is opened."; };
    storagePath = mkOption { type = types.nullOr types.path; default = "/var/lib/docker-registry"; description = "Where the images are; null: extraConfig says it."; };
    enableDelete = mkOption { type = types.bool; default = false; description = "Whether images can be deleted."; };
    enableRedisCache = lib.mkEnableOption "redis as blob cache";
    redisUrl = mkOption { type = types.str; default = "localhost:6379"; description = "Redis."; };
    redisPassword = mkOption { type = types.str; default = ""; description = "Password of redis."; };
    extraConfig = mkOption { type = types.attrs; default = { }; description = "More of the configuration."; };
    configFile = mkOption {
      type = types.path;
      default = pkgs.writeText "docker-registry-config.yml" (builtins.toJSON (lib.recursiveUpdate registryConfig cfg.extraConfig));
      description = "The configuration file.";
    };
    enableGarbageCollect = lib.mkEnableOption "garbage collect";
    garbageCollectDates = mkOption { type = types.str; default = "daily"; description = "When garbage is collected."; };
  };

  config = lib.mkIf cfg.enable {
    systemd.services.docker-registry = {
      description = "Docker Container Registry";
      wantedBy = [ "multi-user.target" ];
      after = [ "network.target" ];
      script = ''
        ${cfg.package}/bin/registry serve ${cfg.configFile}
      '';
      serviceConfig = {
        User = "docker-registry";
        WorkingDirectory = cfg.storagePath;
        AmbientCapabilities = lib.mkIf (cfg.port < 1024) "cap_net_bind_service";
      };
    };

    systemd.services.docker-registry-garbage-collect = {
      description = "Run Garbage Collection for docker registry";
      restartIfChanged = false;
      unitConfig.X-StopOnRemoval = false;
      serviceConfig.Type = "oneshot";
      script = ''
        ${cfg.package}/bin/registry garbage-collect ${cfg.configFile}
        /run/current-system/systemd/bin/systemctl restart docker-registry.service
      '';
      startAt = lib.optional cfg.enableGarbageCollect cfg.garbageCollectDates;
    };

    users.users.docker-registry =
      lib.optionalAttrs (cfg.storagePath != null) {
        createHome = true;
        home = cfg.storagePath;
      }
      // {
        group = "docker-registry";
        isSystemUser = true;
      };
    users.groups.docker-registry = { };
    networking.firewall.allowedTCPPorts = lib.mkIf cfg.openFirewall [ cfg.port ];
  };
}
