{
  infrastructure.hello = {
    enable = true;
    version = "v1";
    bindToIp = "[%%localhost.overlayIp%%]";
  };
}
