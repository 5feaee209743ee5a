# An ingress node: takes requests from the internet and passes them to the apps of its service groups. It runs no apps.
{ pkgs, ... }:
{
  infrastructure = {
    agent.enable = true;
    confd.enable = true;
    confd_haproxy.enable = true;
    confd_test.enable = true;
    flannel.enable = true;
    haproxy.enable = true;
    ingress.enable = true;
  };

  # etcdctl, for a person who wants to see what the mesh sees.
  environment.systemPackages = [ pkgs.etcd ];
}
