# services.haproxy: options, configuration file and unit of the NixOS module.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.services.haproxy;

  configFile = pkgs.writeText "haproxy.conf" ''
    global
      # needed for hot-reload to work without dropping packets in multi-worker mode
      stats socket /run/haproxy/haproxy.sock mode 600 expose-fd listeners level user

    ${cfg.config}
  '';
  program = lib.getExe cfg.package;
  # The master replaces itself by exec of its own argv[0]; a link there can be moved to a new haproxy first.
  link = "${pkgs.coreutils}/bin/ln -sf ${program} /run/haproxy/haproxy";
in
{
  options.services.haproxy = {
    enable = lib.mkEnableOption "HAProxy, the reliable, high performance TCP/HTTP load balancer";
    package = lib.mkPackageOption pkgs "haproxy" { };
    user = mkOption { type = types.str; default = "haproxy"; description = "Account it runs as."; };
    group = mkOption { type = types.str; default = "haproxy"; description = "Its group."; };
    config = mkOption { type = types.nullOr types.lines; default = null; description = "Text of the configuration."; };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.config != null;
        message = "You must provide services.haproxy.config.";
      }
    ];
    environment.etc."haproxy.cfg".source = configFile;

    systemd.services.haproxy = {
      description = "HAProxy";
      after = [ "network.target" ];
      wantedBy = [ "multi-user.target" ];
      serviceConfig = {
        User = cfg.user;
        Group = cfg.group;
        Type = "notify";
        ExecStartPre = [ link "/run/haproxy/haproxy -c -f ${configFile}" ];
        ExecStart = "/run/haproxy/haproxy -Ws -f /etc/haproxy.cfg -p /run/haproxy/haproxy.pid";
        ExecReload = [ "${program} -c -f ${configFile}" link "${pkgs.coreutils}/bin/kill -USR2 $MAINPID" ];
        KillMode = "mixed";
        SuccessExitStatus = "143";
        Restart = "always";
        RuntimeDirectory = "haproxy";
        NoNewPrivileges = true;
        ProtectHome = true;
        ProtectSystem = "strict";
        ProtectKernelTunables = true;
        ProtectKernelModules = true;
        ProtectControlGroups = true;
        SystemCallFilter = "~@cpu-emulation @keyring @module @obsolete @raw-io @reboot @swap @sync";
        AmbientCapabilities = "CAP_NET_BIND_SERVICE";
      };
    };

    users.users = lib.optionalAttrs (cfg.user == "haproxy") {
      haproxy = {
        inherit (cfg) group;
        isSystemUser = true;
      };
    };
    users.groups = lib.optionalAttrs (cfg.group == "haproxy") { haproxy = { }; };
  };
}
