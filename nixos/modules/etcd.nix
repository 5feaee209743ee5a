# A member of the cluster's etcd: mutual TLS towards clients and peers.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.infrastructure.etcd;
  cluster = config.infrastructure.cluster;
  certificates = config.infrastructure.certificates;
  inherit (cluster) node;
  # etcd does not run as root and /root is closed to it: systemd hands the files over.
  credential = name: "/run/credentials/etcd.service/${name}";
in
{
  options.infrastructure.etcd = {
    enable = lib.mkEnableOption "a member of the cluster's etcd";
    initialClusterToken = mkOption {
      type = types.str;
      default = cluster.etcdClusterToken;
      defaultText = lib.literalExpression "config.infrastructure.cluster.etcdClusterToken";
      description = "Token that keeps the members of two clusters apart.";
    };
    initialCluster = mkOption {
      type = types.listOf (types.submodule {
        freeformType = types.attrsOf types.anything;
        options = {
          name = mkOption {
            type = types.str;
            description = "Name of the member.";
          };
          ip = mkOption {
            type = types.str;
            description = "Public IPv4 address of the member.";
          };
        };
      });
      default = map (member: {
        inherit (member) name;
        ip = member.ipv4;
      }) cluster.control;
      defaultText = lib.literalExpression "the control nodes of cluster.json";
      description = "Members at the time the cluster starts for the first time.";
    };
    initialClusterState = mkOption {
      type = types.enum [
        "new"
        "existing"
      ];
      default = "new";
      description = "`existing` for a member that replaces a lost one; etcd ignores it once the member has data.";
    };
  };

  config = lib.mkIf cfg.enable {
    services.etcd = {
      enable = true;
      inherit (node) name;
      inherit (cfg) initialClusterToken initialClusterState;
      initialCluster = map (member: "${member.name}=https://${member.ip}:2380") cfg.initialCluster;

      listenClientUrls = [ "https://0.0.0.0:2379" ];
      advertiseClientUrls = [ "https://${node.ipv4}:2379" ];
      listenPeerUrls = [ "https://0.0.0.0:2380" ];
      initialAdvertisePeerUrls = [ "https://${node.ipv4}:2380" ];

      clientCertAuth = true;
      trustedCaFile = credential "ca";
      certFile = credential "client-cert";
      keyFile = credential "client-key";
      peerClientCertAuth = true;
      peerTrustedCaFile = credential "ca";
      peerCertFile = credential "peer-cert";
      peerKeyFile = credential "peer-key";
    };

    systemd.services.etcd = {
      # A member that cannot find its peers must go on trying however long they are away.
      startLimitIntervalSec = 0;
      serviceConfig = {
        # The stock 30 s would leave the cluster one failure from losing its quorum for no reason.
        RestartSec = lib.mkForce "2s";
        # etcd reports "ready" only with a quorum: the first members wait here for the others.
        TimeoutStartSec = "5min";
        # Written by whoever makes a member anew in a cluster that runs: members and state of that moment, which are no
        # part of the configuration. It goes when the member has its data, and is not there otherwise.
        EnvironmentFile = "-/var/lib/nix-infra/etcd-join.env";
        LoadCredential = [
          "ca:${certificates.ca}"
          "client-cert:${certificates.directory}/${node.name}-client-tls.cert.pem"
          "client-key:${certificates.directory}/${node.name}-client-tls.key.pem"
          "peer-cert:${certificates.directory}/${node.name}-peer-tls.cert.pem"
          "peer-key:${certificates.directory}/${node.name}-peer-tls.key.pem"
        ];
      };
    };

    # Open to every address: both ports refuse a peer without a certificate of this cluster, and a list of
    # sources would make every new node wait for a switch of the control plane.
    networking.firewall.allowedTCPPorts = [
      2379
      2380
    ];

    assertions = [
      {
        assertion = builtins.elem node.name (map (member: member.name) cfg.initialCluster);
        message = "infrastructure.etcd: node '${node.name}' is not among the members of initialCluster.";
      }
    ];
  };
}
