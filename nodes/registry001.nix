{
  infrastructure.registry.enable = true;
}
