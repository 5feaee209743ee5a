# Importing a module costs nothing: each does something only after its `enable` is set by a node type or a node.
{
  imports = [
    ./agent.nix
    ./apps.nix
    ./cluster.nix
    ./confd.nix
    ./confd_haproxy.nix
    ./confd_test.nix
    ./controller.nix
    ./etcd.nix
    ./flannel.nix
    ./haproxy.nix
    ./ingress.nix
    ./oci-containers.nix
    ./podman.nix
    ./registry.nix
  ];
}
