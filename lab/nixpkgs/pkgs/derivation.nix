# The one way to a store path: bash of the machine runs a script. No sandbox, no network, no compiler.
{ lib, system }:
let
  # Builds happen outside a sandbox, so that links to the machine's programs can be checked; PATH is fixed all the same.
  hostPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

  mkHostDerivation =
    args@{
      name,
      script,
      # Attributes that are only for readers of the Nix value.
      meta ? { },
      passthru ? { },
      ...
    }:
    let
      drv = builtins.derivation (
        {
          inherit name system;
          builder = "/bin/bash";
          args = [ "-euc" ''if [ -e "''${scriptPath-}" ]; then . "$scriptPath"; else eval "$script"; fi'' ];
          PATH = hostPath;
          preferLocalBuild = true;
          allowSubstitutes = false;
          inherit script;
        }
        // builtins.removeAttrs args [ "meta" "passthru" ]
        // lib.optionalAttrs (args ? passAsFile || lib.stringLength script > 60000) {
          # The environment of a process is limited; a long script goes through a file.
          passAsFile = lib.unique (args.passAsFile or [ ] ++ lib.optional (lib.stringLength script > 60000) "script");
        }
      );
    in
    drv
    // passthru
    // {
      inherit meta passthru;
      overrideAttrs = change: mkHostDerivation (args // (if lib.isFunction (change args) then change { } args else change args));
    };
in
{
  inherit mkHostDerivation;
}
