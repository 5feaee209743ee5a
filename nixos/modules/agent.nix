# The agent: dials the controllers, applies configurations, registers the healthy apps of its node.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.infrastructure.agent;
  cluster = config.infrastructure.cluster;
  certificates = config.infrastructure.certificates;
  inherit (cluster) node;

  tls = {
    inherit (certificates) ca;
    cert = "${certificates.directory}/${node.name}-client-tls.cert.pem";
    key = "${certificates.directory}/${node.name}-client-tls.key.pem";
  };
  # Below /run: the key that stands there for the moment of a proof is gone with a power cut too.
  proofKeys = "/run/nix-infra/ssh-proof";
  configFile = pkgs.writeText "nix-infra-agent.json" (
    builtins.toJSON {
      inherit (cluster) cluster;
      node = node.name;
      inherit (node) services;
      haproxyConfig = config.infrastructure.haproxy.configFile;
      controllers = map (member: "${member.ipv4}:${toString cluster.controllerPort}") cluster.control;
      inherit tls;
      etcd = tls // {
        endpoints = map (member: "https://${member.name}:2379") cluster.control;
      };
      appsDir = "/etc/nix-infra/apps.d";
      stateDir = "/var/lib/nix-infra";
      configDir = "/etc/nixos";
      activator = "nixos";
      haproxyLoaded = config.infrastructure.haproxy.loadedFile;
      inherit (cfg) proveSsh;
      sshPort = builtins.head (config.services.openssh.ports ++ [ 22 ]);
      sshKeysFile = "${proofKeys}/root";
    }
  );
in
{
  options.infrastructure.agent = {
    enable = lib.mkEnableOption "the nix-infra agent";
    package = mkOption {
      type = types.package;
      default = pkgs.nodejs_24;
      defaultText = lib.literalExpression "pkgs.nodejs_24";
      description = "Node.js that runs the agent.";
    };
    proveSsh = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether a new system must still accept a login over sshd. The agent logs in as root from loopback, with a key that is
        accepted for this moment and this purpose alone. Where such a login did not work before, it is not demanded after.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    environment.etc."nix-infra/agent.json".source = configFile;

    services.openssh.authorizedKeysFiles = lib.mkIf cfg.proveSsh [ "${proofKeys}/%u" ];

    systemd.services.nix-infra-agent = {
      description = "nix-infra agent";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      # A node whose agent gave up is lost to the cluster: never stop trying.
      startLimitIntervalSec = 0;
      # Switches run in transient units of their own, so that a switch may replace the agent that asked for it.
      path = [
        pkgs.coreutils
        pkgs.iproute2
        pkgs.openssh
        config.systemd.package
        config.nix.package
        # nixos-rebuild has been renamed and rewritten between releases: take the one of the running system.
        "/run/current-system/sw"
      ];
      serviceConfig = {
        ExecStart = "${cfg.package}/bin/node --enable-source-maps ${../nix-infra/agent.cjs} --config ${configFile}";
        Restart = "always";
        RestartSec = "2s";
        # Extra authorities would cost start-up time and belong to nobody this process should trust.
        UnsetEnvironment = [ "NODE_EXTRA_CA_CERTS" ];
        StateDirectory = "nix-infra";
        StateDirectoryMode = "0700";
        # No sandbox: it writes /etc/nixos, starts units, and a build below it sets its own personality and namespaces,
        # which restrictions inherited from here would break.
      };
    };
  };
}
