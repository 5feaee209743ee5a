{
  infrastructure.hello = {
    enable = true;
    bindToIp = "[%%localhost.overlayIp%%]";
  };
}
