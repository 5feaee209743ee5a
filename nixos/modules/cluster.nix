# The one place that reads cluster.json: facts about the cluster come in as typed data, never as text pasted into Nix.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.infrastructure.cluster;

  nodeName = types.strMatching "[a-z]([a-z0-9-]*[a-z0-9])?";
  serviceGroup = types.enum [
    "frontends"
    "backends"
    "services"
  ];
  nodeKind = types.enum [
    "control"
    "cluster"
    "ingress"
  ];
  # A project keeps the modules it was created with while the CLI that writes cluster.json moves on,
  # so a key that these modules do not know yet must not break the node.
  open = options: types.submodule {
    freeformType = types.attrsOf types.anything;
    inherit options;
  };

  name = mkOption {
    type = nodeName;
    description = "Name of the node.";
  };
  ipv4 = mkOption {
    type = types.str;
    description = "Public IPv4 address of the node.";
  };
  overlayIp = mkOption {
    type = types.nullOr types.str;
    default = null;
    description = "Address of the node on the overlay network; null until flannel has given it one.";
  };
  kind = mkOption {
    type = nodeKind;
    description = "What the node is for.";
  };
in
{
  options.infrastructure.cluster = mkOption {
    description = "The cluster as this node sees it, read from cluster.json.";
    type = open {
      cluster = mkOption {
        type = types.str;
        description = "Name of the cluster; part of every certificate's identity.";
      };
      system = mkOption {
        type = types.enum [
          "x86_64-linux"
          "aarch64-linux"
        ];
        default = "x86_64-linux";
        description = "Platform of this node.";
      };
      nixosVersion = mkOption {
        type = types.str;
        description = "NixOS release that the node follows.";
      };
      stateVersion = mkOption {
        type = types.str;
        description = "NixOS release that the node was installed with; it never changes afterwards.";
      };
      node = mkOption {
        description = "This node.";
        type = open {
          inherit
            name
            kind
            ipv4
            overlayIp
            ;
          services = mkOption {
            type = types.listOf serviceGroup;
            default = [ ];
            description = "Service groups whose apps this node reaches at 127.0.0.1.";
          };
          interface = mkOption {
            type = types.str;
            default = "eth0";
            description = "Network interface that carries the public address.";
          };
        };
      };
      nodes = mkOption {
        description = "Every node of the cluster, this one included.";
        type = types.listOf (open {
          inherit
            name
            kind
            ipv4
            overlayIp
            ;
        });
      };
      control = mkOption {
        description = "The control nodes: etcd members and controllers.";
        type = types.listOf (open {
          inherit name ipv4;
        });
      };
      controllerPort = mkOption {
        type = types.port;
        default = 7443;
        description = "TCP port on which controllers accept agents.";
      };
      overlay = mkOption {
        description = "The overlay network.";
        default = { };
        type = open {
          backend = mkOption {
            type = types.enum [
              "wireguard"
              "vxlan"
            ];
            default = "wireguard";
            description = ''
              How packets travel between nodes. `wireguard` encrypts and authenticates them. `vxlan` does neither:
              it is for a private network, or a kernel without WireGuard.
            '';
          };
        };
      };
      sshKeys = mkOption {
        type = types.listOf types.singleLineStr;
        default = [ ];
        description = "Public SSH keys that may log in as root.";
      };
      etcdClusterToken = mkOption {
        type = types.str;
        description = "Token that keeps the etcd members of two clusters apart; not a secret.";
      };
    };
  };

  options.infrastructure.certificates = {
    directory = mkOption {
      type = types.str;
      default = "/root/certs";
      description = "Directory that bootstrap puts certificates in. A string: a path literal would copy keys to the store.";
    };
    ca = mkOption {
      type = types.str;
      readOnly = true;
      default = "${config.infrastructure.certificates.directory}/ca-chain.cert.pem";
      defaultText = lib.literalExpression ''"''${directory}/ca-chain.cert.pem"'';
      description = "Chain of the cluster's certificate authority.";
    };
  };

  config = {
    infrastructure.cluster = builtins.fromJSON (builtins.readFile ../cluster.json);

    # Certificates of etcd members and controllers also carry names, so that clients keep one spelling of an endpoint.
    networking.hosts = builtins.listToAttrs (
      map (member: {
        name = member.ipv4;
        value = [ member.name ];
      }) cfg.control
    );

    assertions = [
      {
        assertion = builtins.elem cfg.node.name (map (node: node.name) cfg.nodes);
        message = "cluster.json: node '${cfg.node.name}' is missing from the list of nodes.";
      }
      {
        assertion = lib.mod (builtins.length cfg.control) 2 == 1;
        message = ''
          cluster.json: the control plane has ${toString (builtins.length cfg.control)} nodes.
          Use an odd number (1, 3, 5 or 7): an even one tolerates no more failures than one node fewer.
        '';
      }
    ];
  };
}
