# A cluster node: runs apps, and reaches the apps of its service groups at 127.0.0.1.
{ pkgs, ... }:
{
  infrastructure = {
    agent.enable = true;
    confd.enable = true;
    confd_haproxy.enable = true;
    confd_test.enable = true;
    flannel.enable = true;
    haproxy.enable = true;
    podman.enable = true;
  };

  # etcdctl, for a person who wants to see what the mesh sees.
  environment.systemPackages = [ pkgs.etcd ];
}
