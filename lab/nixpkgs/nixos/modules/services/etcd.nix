# services.etcd: options, environment and unit of the NixOS module.
{ config, lib, options, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.services.etcd;
  urls = default: description: mkOption { type = types.listOf types.str; inherit default description; };
  file = default: description: mkOption { type = types.nullOr types.path; inherit default description; };
  str = default: description: mkOption { type = types.str; inherit default description; };
  bool = description: mkOption { type = types.bool; default = false; inherit description; };
  comma = lib.concatStringsSep ",";
in
{
  options.services.etcd = {
    enable = bool "Whether etcd runs.";
    package = lib.mkPackageOption pkgs "etcd" { };
    name = str config.networking.hostName "Name of the member.";
    advertiseClientUrls = urls cfg.listenClientUrls "Client URLs that others are told.";
    listenClientUrls = urls [ "http://127.0.0.1:2379" ] "Where clients connect.";
    listenPeerUrls = urls [ "http://127.0.0.1:2380" ] "Where members connect.";
    initialAdvertisePeerUrls = urls cfg.listenPeerUrls "Peer URLs that others are told.";
    initialCluster = urls [ "${cfg.name}=http://127.0.0.1:2380" ] "The members at the first start.";
    initialClusterState = mkOption { type = types.enum [ "new" "existing" ]; default = "new"; description = "Whether the cluster exists already."; };
    initialClusterToken = str "etcd-cluster" "Token of the first start.";
    discovery = str "" "URL of a discovery service.";
    clientCertAuth = bool "Whether clients need a certificate.";
    trustedCaFile = file null "CA of the clients.";
    certFile = file null "Certificate for clients.";
    keyFile = file null "Its key.";
    openFirewall = bool "Whether 2379 and 2380 are opened.";
    peerCertFile = file cfg.certFile "Certificate for members.";
    peerKeyFile = file cfg.keyFile "Its key.";
    peerTrustedCaFile = file cfg.trustedCaFile "CA of the members.";
    peerClientCertAuth = bool "Whether members need a certificate.";
    extraConf = mkOption { type = types.attrsOf types.str; default = { }; description = "More ETCD_ variables, without the prefix."; };
    dataDir = mkOption { type = types.path; default = "/var/lib/etcd"; description = "Where its data is."; };
  };

  config = lib.mkIf cfg.enable {
    systemd.tmpfiles.settings."10-etcd".${cfg.dataDir}.d = {
      user = "etcd";
      mode = "0700";
    };

    systemd.services.etcd = {
      description = "etcd key-value store";
      wantedBy = [ "multi-user.target" ];
      after = [ "network-online.target" ] ++ lib.optional config.networking.firewall.enable "firewall.service";
      wants = [ "network-online.target" ] ++ lib.optional config.networking.firewall.enable "firewall.service";
      environment =
        lib.filterAttrs (_: v: v != null) {
          ETCD_NAME = cfg.name;
          ETCD_DISCOVERY = cfg.discovery;
          ETCD_DATA_DIR = cfg.dataDir;
          ETCD_ADVERTISE_CLIENT_URLS = comma cfg.advertiseClientUrls;
          ETCD_LISTEN_CLIENT_URLS = comma cfg.listenClientUrls;
          ETCD_LISTEN_PEER_URLS = comma cfg.listenPeerUrls;
          ETCD_INITIAL_ADVERTISE_PEER_URLS = comma cfg.initialAdvertisePeerUrls;
          # toString, as the real one: true is "1" and false is "".
          ETCD_PEER_CLIENT_CERT_AUTH = toString cfg.peerClientCertAuth;
          ETCD_PEER_TRUSTED_CA_FILE = cfg.peerTrustedCaFile;
          ETCD_PEER_CERT_FILE = cfg.peerCertFile;
          ETCD_PEER_KEY_FILE = cfg.peerKeyFile;
          ETCD_CLIENT_CERT_AUTH = toString cfg.clientCertAuth;
          ETCD_TRUSTED_CA_FILE = cfg.trustedCaFile;
          ETCD_CERT_FILE = cfg.certFile;
          ETCD_KEY_FILE = cfg.keyFile;
        }
        // lib.optionalAttrs (cfg.discovery == "") {
          ETCD_INITIAL_CLUSTER = comma cfg.initialCluster;
          ETCD_INITIAL_CLUSTER_STATE = cfg.initialClusterState;
          ETCD_INITIAL_CLUSTER_TOKEN = cfg.initialClusterToken;
        }
        // lib.mapAttrs' (n: v: lib.nameValuePair "ETCD_${n}" v) cfg.extraConf;
      unitConfig.Documentation = "https://github.com/coreos/etcd";
      serviceConfig = {
        Type = "notify";
        Restart = "always";
        RestartSec = "30s";
        ExecStart = "${cfg.package}/bin/etcd";
        User = "etcd";
        LimitNOFILE = 40000;
      };
    };

    environment.systemPackages = [ cfg.package ];
    networking.firewall.allowedTCPPorts = lib.mkIf cfg.openFirewall [ 2379 2380 ];
    users.users.etcd = {
      isSystemUser = true;
      group = "etcd";
      description = "Etcd daemon user";
      home = cfg.dataDir;
    };
    users.groups.etcd = { };
  };
}
