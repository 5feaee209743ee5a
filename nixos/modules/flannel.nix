# The overlay network: one /24 per node, leased in etcd.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.infrastructure.flannel;
  cluster = config.infrastructure.cluster;
  certificates = config.infrastructure.certificates;
  inherit (cluster) node;

  backends = {
    wireguard = {
      interface = "flannel-wg";
      port = 51820;
      kernelModule = "wireguard";
      config = {
        Type = "wireguard";
        # Keeps the path open through a firewall on the way that forgets idle UDP flows.
        PersistentKeepaliveInterval = 60;
      };
    };
    vxlan = {
      interface = "flannel.1";
      port = 8472;
      kernelModule = "vxlan";
      config = {
        Type = "vxlan";
        Port = 8472;
      };
    };
  };
  backend = backends.${cluster.overlay.backend};
in
{
  options.infrastructure.flannel = {
    enable = lib.mkEnableOption "the overlay network";
    etcdCluster = mkOption {
      type = types.listOf (types.attrsOf types.str);
      default = map (member: {
        inherit (member) name;
        ip = member.ipv4;
      }) cluster.control;
      defaultText = lib.literalExpression "the control nodes of cluster.json";
      description = "etcd members, as `{ name, ip }`.";
    };
    interface = mkOption {
      type = types.str;
      readOnly = true;
      default = backend.interface;
      defaultText = lib.literalExpression ''"flannel-wg" or "flannel.1", by backend'';
      description = "Network interface of the overlay on this node.";
    };
  };

  config = lib.mkIf cfg.enable {
    boot.kernelModules = [ backend.kernelModule ];

    services.flannel = {
      enable = true;
      iface = node.interface;
      publicIp = node.ipv4;
      network = "10.0.0.0/8";
      subnetLen = 24;
      subnetMin = "10.10.0.0";
      subnetMax = "10.99.0.0";
      backend = backend.config;
      etcd = {
        endpoints = map (member: "https://${member.ip}:2379") cfg.etcdCluster;
        prefix = "/coreos.com/network";
        caFile = certificates.ca;
        certFile = "${certificates.directory}/${node.name}-client-tls.cert.pem";
        keyFile = "${certificates.directory}/${node.name}-client-tls.key.pem";
      };
    };

    systemd.services.flannel = {
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      startLimitIntervalSec = 0;
      path = [ pkgs.iproute2 ];
      # "After flannel" shall mean that the overlay address can be bound: flanneld says it is ready a moment earlier.
      postStart = ''
        until [ -n "$(ip -4 -o address show dev ${backend.interface} 2>/dev/null)" ]; do sleep 0.1; done
      '';
      # flanneld masquerades only when told to; this keeps it so: instances must see the real address of their callers.
      environment.FLANNELD_IP_MASQ = "false";
      serviceConfig = {
        Restart = lib.mkForce "always";
        RestartSec = lib.mkForce "2s";
      };
    };

    networking.firewall.allowedUDPPorts = [ backend.port ];
    environment.systemPackages = lib.optional (cluster.overlay.backend == "wireguard") pkgs.wireguard-tools;
  };
}
