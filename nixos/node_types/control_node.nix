# A control node: a member of etcd, and a controller.
{
  infrastructure = {
    agent.enable = true;
    controller.enable = true;
    etcd.enable = true;
  };
}
