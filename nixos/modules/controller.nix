# The controller: agents dial it, it keeps all its state in etcd.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.infrastructure.controller;
  cluster = config.infrastructure.cluster;
  certificates = config.infrastructure.certificates;
  inherit (cluster) node;

  tls = {
    inherit (certificates) ca;
    cert = "${certificates.directory}/${node.name}-controller-tls.cert.pem";
    key = "${certificates.directory}/${node.name}-controller-tls.key.pem";
  };
  endpoint = member: "https://${member.name}:2379";
  configFile = pkgs.writeText "nix-infra-controller.json" (
    builtins.toJSON {
      inherit (cluster) cluster;
      inherit (node) name;
      listen = "0.0.0.0:${toString cfg.port}";
      etcd = tls // {
        endpoints = map endpoint cluster.control;
      };
      inherit tls;
      etcdMembers = map (member: {
        inherit (member) name;
        endpoint = endpoint member;
      }) cluster.control;
    }
  );
in
{
  options.infrastructure.controller = {
    enable = lib.mkEnableOption "the nix-infra controller";
    package = mkOption {
      type = types.package;
      default = pkgs.nodejs_24;
      defaultText = lib.literalExpression "pkgs.nodejs_24";
      description = "Node.js that runs the controller.";
    };
    port = mkOption {
      type = types.port;
      default = cluster.controllerPort;
      defaultText = lib.literalExpression "config.infrastructure.cluster.controllerPort";
      description = "TCP port on which agents and operators are served.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.etc."nix-infra/controller.json".source = configFile;

    systemd.services.nix-infra-controller = {
      description = "nix-infra controller";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      # Not `requires`: without etcd the controller says so to its agents, which is better than being gone.
      after = [
        "network-online.target"
        "etcd.service"
      ];
      startLimitIntervalSec = 0;
      serviceConfig = {
        ExecStart = "${cfg.package}/bin/node --enable-source-maps ${../nix-infra/controller.cjs} --config ${configFile}";
        Restart = "always";
        RestartSec = "2s";
        # One descriptor per agent, and a reconnect storm needs twice as many for a moment.
        LimitNOFILE = 65536;
        # Extra authorities would cost start-up time and belong to nobody this process should trust.
        UnsetEnvironment = [ "NODE_EXTRA_CA_CERTS" ];
        StateDirectory = "nix-infra-controller";
        StateDirectoryMode = "0700";
        # Runs as root to re-read renewed certificates in /root/certs, and gives everything else away.
        CapabilityBoundingSet = [ "" ];
        NoNewPrivileges = true;
        ProtectHome = "read-only";
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

    # Open to every address: the port refuses a peer without a certificate of this cluster.
    networking.firewall.allowedTCPPorts = [ cfg.port ];
  };
}
