# Statements about the configuration that must hold, and advice.
{ lib, ... }:
{
  options = {
    assertions = lib.mkOption {
      type = lib.types.listOf lib.types.unspecified;
      internal = true;
      default = [ ];
      description = "What must hold: a list of `{ assertion; message; }`.";
    };
    warnings = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      internal = true;
      default = [ ];
      description = "What people are told when the system is built.";
    };
  };
}
