# The load balancer of the mesh, on every node. An own unit instead of services.haproxy: that one runs a file from the
# store and checks only that one, so every switch would put the routes back to nothing.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.infrastructure.haproxy;
  seed = ./haproxy/base.cfg;
  # The master replaces itself by exec of the name it was started with; through a link a reload takes the new package.
  program = "/run/haproxy/haproxy";
  link = "${pkgs.coreutils}/bin/ln -sfn ${cfg.package}/bin/haproxy ${program}";
  # haproxy runs a copy with a name, so that it can say what it was started from: the file in service may be newer.
  load = "${pkgs.runtimeShell} ${./haproxy/load.sh} ${cfg.configFile} ${cfg.loadedFile} ${cfg.package}/bin/haproxy";
in
{
  options.infrastructure.haproxy = {
    enable = lib.mkEnableOption "the load balancer of the mesh";
    package = mkOption {
      type = types.package;
      default = pkgs.haproxy;
      defaultText = lib.literalExpression "pkgs.haproxy";
      description = "haproxy to run.";
    };
    user = mkOption {
      type = types.str;
      default = "haproxy";
      description = "User that haproxy runs as.";
    };
    group = mkOption {
      type = types.str;
      default = "haproxy";
      description = "Group that haproxy runs as, and that may use its admin socket.";
    };
    configFile = mkOption {
      type = types.str;
      readOnly = true;
      default = "/var/lib/haproxy-mesh/haproxy.cfg";
      description = "The file in service: without routes at first, later the one that confd writes.";
    };
    loadedFile = mkOption {
      type = types.str;
      readOnly = true;
      default = "/run/haproxy/loaded.cfg";
      description = "What haproxy was started from: a copy of configFile that ends in a name, which `show info` tells.";
    };
  };

  config = lib.mkIf cfg.enable {
    systemd.tmpfiles.rules = [
      "d ${builtins.dirOf cfg.configFile} 0755 root root - -"
      # Copies only where there is no file: what confd has written survives switches and reboots.
      "C ${cfg.configFile} 0644 root root - ${seed}"
    ];

    # People look for the configuration here.
    environment.etc."haproxy.cfg".source = cfg.configFile;
    environment.systemPackages = [ pkgs.socat ];

    systemd.services.haproxy = {
      description = "haproxy, the load balancer of the mesh";
      wantedBy = [ "multi-user.target" ];
      after = [ "network.target" ];
      # A restart would drop connections; a reload also takes a new package.
      reloadIfChanged = true;
      startLimitIntervalSec = 0;
      serviceConfig = {
        Type = "notify";
        User = cfg.user;
        Group = cfg.group;
        ExecStartPre = [
          link
          load
        ];
        ExecStart = "${program} -Ws -f ${cfg.loadedFile} -p /run/haproxy/haproxy.pid";
        ExecReload = [
          load
          link
          "${pkgs.coreutils}/bin/kill -USR2 $MAINPID"
        ];
        KillMode = "mixed";
        # The master answers SIGTERM with 128 + 15.
        SuccessExitStatus = "143";
        Restart = "always";
        RestartSec = "1s";
        RuntimeDirectory = "haproxy";
        # maxconn of base.cfg needs two descriptors per connection.
        LimitNOFILE = 65536;
        AmbientCapabilities = [ "CAP_NET_BIND_SERVICE" ];
        CapabilityBoundingSet = [ "CAP_NET_BIND_SERVICE" ];
        NoNewPrivileges = true;
        ProtectHome = true;
        ProtectSystem = "strict";
        PrivateTmp = true;
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

    users.users = lib.mkIf (cfg.user == "haproxy") {
      haproxy = {
        isSystemUser = true;
        inherit (cfg) group;
      };
    };
    users.groups = lib.mkIf (cfg.group == "haproxy") { haproxy = { }; };
  };
}
