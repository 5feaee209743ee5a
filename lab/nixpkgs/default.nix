# The package set. `system` must be given where evaluation is pure (flakes).
{
  system ? builtins.currentSystem,
  config ? { },
  overlays ? [ ],
  ...
}:
import ./pkgs { inherit system config overlays; }
