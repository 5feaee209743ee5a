# What the installer of a NixOS snapshot leaves behind: the machine, not the cluster. A lab machine is a container.
{
  boot.isContainer = true;
}
