# services.flannel: options, environment and unit of the NixOS module.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.services.flannel;
  etcdStorage = cfg.storageBackend == "etcd";
  optionalStr = description: mkOption { type = types.nullOr types.str; default = null; inherit description; };
  file = description: mkOption { type = types.nullOr types.path; default = null; inherit description; };

  networkConfig = lib.filterAttrs (_: v: v != null) {
    Network = cfg.network;
    SubnetLen = cfg.subnetLen;
    SubnetMin = cfg.subnetMin;
    SubnetMax = cfg.subnetMax;
    Backend = cfg.backend;
  };
in
{
  options.services.flannel = {
    enable = lib.mkEnableOption "flannel";
    package = lib.mkPackageOption pkgs "flannel" { };
    publicIp = optionalStr "Address that the others reach this machine at.";
    iface = optionalStr "Interface or address for the traffic between machines.";
    etcd = {
      endpoints = mkOption { type = types.listOf types.str; default = [ "http://127.0.0.1:2379" ]; description = "Etcd."; };
      prefix = mkOption { type = types.str; default = "/coreos.com/network"; description = "Prefix of the keys."; };
      caFile = file "CA of etcd.";
      certFile = file "Certificate for etcd.";
      keyFile = file "Its key.";
    };
    kubeconfig = file "Configuration of the Kubernetes client.";
    network = mkOption { type = types.str; description = "The whole overlay network."; };
    nodeName = mkOption { type = types.nullOr types.str; default = config.networking.fqdnOrHostName; description = "Name of the node, for Kubernetes."; };
    storageBackend = mkOption { type = types.enum [ "etcd" "kubernetes" ]; default = "etcd"; description = "Where the leases are."; };
    subnetLen = mkOption { type = types.int; default = 24; description = "Size of a node's subnet."; };
    subnetMin = optionalStr "First subnet.";
    subnetMax = optionalStr "Last subnet.";
    backend = mkOption { type = types.attrs; default = { Type = "vxlan"; }; description = "The backend and its settings."; };
  };

  config = lib.mkIf cfg.enable {
    systemd.services.flannel = {
      description = "Flannel Service";
      wantedBy = [ "multi-user.target" ];
      after = [ "network.target" ];
      environment =
        {
          FLANNELD_PUBLIC_IP = cfg.publicIp;
          FLANNELD_IFACE = cfg.iface;
        }
        // lib.optionalAttrs etcdStorage {
          FLANNELD_ETCD_ENDPOINTS = lib.concatStringsSep "," cfg.etcd.endpoints;
          FLANNELD_ETCD_KEYFILE = cfg.etcd.keyFile;
          FLANNELD_ETCD_CERTFILE = cfg.etcd.certFile;
          FLANNELD_ETCD_CAFILE = cfg.etcd.caFile;
          ETCDCTL_CERT = cfg.etcd.certFile;
          ETCDCTL_KEY = cfg.etcd.keyFile;
          ETCDCTL_CACERT = cfg.etcd.caFile;
          ETCDCTL_ENDPOINTS = lib.concatStringsSep "," cfg.etcd.endpoints;
          ETCDCTL_API = "3";
        }
        // lib.optionalAttrs (!etcdStorage) {
          FLANNELD_KUBE_SUBNET_MGR = "true";
          FLANNELD_KUBECONFIG_FILE = cfg.kubeconfig;
          NODE_NAME = cfg.nodeName;
        };
      path = [ pkgs.iptables ];
      # The key is fixed, whatever etcd.prefix says: so it is in the real module.
      preStart = lib.optionalString etcdStorage ''
        echo "setting network configuration"
        until ${pkgs.etcd}/bin/etcdctl put /coreos.com/network/config '${builtins.toJSON networkConfig}'
        do
          echo "setting network configuration, retry"
          sleep 1
        done
      '';
      serviceConfig = {
        ExecStart = "${cfg.package}/bin/flannel";
        Restart = "always";
        RestartSec = "10s";
        RuntimeDirectory = "flannel";
      };
    };

    services.etcd.enable = lib.mkDefault (etcdStorage && cfg.etcd.endpoints == [ "http://127.0.0.1:2379" ]);
    environment.etc."kube-flannel/net-conf.json" = lib.mkIf (!etcdStorage) {
      source = pkgs.writeText "net-conf.json" (builtins.toJSON networkConfig);
    };
  };
}
