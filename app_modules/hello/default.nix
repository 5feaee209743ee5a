# hello: a small web app, to see a cluster work.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.infrastructure.hello;
in
{
  options.infrastructure.hello = {
    enable = lib.mkEnableOption "the hello app";
    bindToIp = mkOption {
      type = types.str;
      default = "127.0.0.1";
      description = "IPv4 address to listen on; the node's overlay address makes it reachable in the mesh.";
    };
    bindToPort = mkOption {
      type = types.port;
      default = 11211;
      description = "TCP port to listen on.";
    };
    version = mkOption {
      type = types.str;
      default = "1";
      description = "Version that the app reports; change it to see a rollout.";
    };
  };

  config = lib.mkIf cfg.enable {
    systemd.services.hello = {
      description = "hello, a small web app";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      # The overlay address appears when flannel has its lease; until then the start fails and is repeated.
      after = [
        "network-online.target"
        "flannel.service"
      ];
      startLimitIntervalSec = 0;
      environment = {
        HOST = cfg.bindToIp;
        PORT = toString cfg.bindToPort;
        APP_VERSION = cfg.version;
        NODE_NAME = config.infrastructure.cluster.node.name;
      };
      serviceConfig = {
        ExecStart = "${pkgs.nodejs_24}/bin/node ${./server.mjs}";
        Restart = "always";
        RestartSec = "1s";
        # The app answers what it has begun and ends by itself within 35 s; this is for one that hangs.
        TimeoutStopSec = 40;
        UnsetEnvironment = [ "NODE_EXTRA_CA_CERTS" ];
        DynamicUser = true;
        CapabilityBoundingSet = [ "" ];
        NoNewPrivileges = true;
        ProtectHome = true;
        ProtectSystem = "strict";
        PrivateDevices = true;
        ProtectKernelTunables = true;
        ProtectKernelModules = true;
        ProtectControlGroups = true;
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
        ];
        RestrictNamespaces = true;
        LockPersonality = true;
      };
    };

    infrastructure.apps.hello = {
      group = "frontends";
      port = cfg.bindToPort;
      inherit (cfg) bindToIp version;
      health = {
        kind = "http";
        path = "/ping";
      };
    };
  };
}
