# callPackage and friends.
{ lib }:
rec {
  makeOverridable =
    f: args:
    let
      result = f args;
    in
    if builtins.isAttrs result then
      result
      // {
        override = new: makeOverridable f (args // (if lib.isFunction new then new args else new));
      }
    else result;

  # Fills the arguments of a package function from a set; what is missing there is the caller's or an error.
  callPackageWith =
    autoArgs: fn: args:
    let
      f = if lib.isFunction fn then fn else import fn;
      wanted = lib.functionArgs f;
      given = builtins.intersectAttrs wanted autoArgs // args;
      missing = lib.attrNames (lib.filterAttrs (n: hasDefault: !hasDefault && !(given ? ${n})) wanted);
    in
    if missing == [ ] then makeOverridable f given
    else throw "callPackage: the package function ${if lib.isFunction fn then "" else "at ${toString fn} "}asks for `${builtins.head missing}', which is not in the package set.";

  makeScope =
    newScope: f:
    let
      self = f self // {
        newScope = scope: newScope (self // scope);
        callPackage = self.newScope { };
        packages = f;
      };
    in
    self;
}
