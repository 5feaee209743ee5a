# Facts about packages.
{ lib }:
rec {
  getExe' =
    pkg: name:
    assert lib.assertMsg (lib.isDerivation pkg) "lib.meta.getExe': the first argument is of type ${builtins.typeOf pkg}, but it should be a derivation";
    assert lib.assertMsg (builtins.isString name && builtins.match ".*/.*" name == null) "lib.meta.getExe': the second argument must be a program name without a slash";
    "${lib.getBin pkg}/bin/${name}";
  getExe =
    pkg:
    getExe' pkg (
      pkg.meta.mainProgram or (lib.warn "getExe: Package ${lib.strings.escapeNixIdentifier (pkg.pname or pkg.name)} does not have the meta.mainProgram attribute; assuming that the main program has the same name." (lib.getName pkg))
    );
  addMetaAttrs = attrs: pkg: pkg // { meta = pkg.meta or { } // attrs; };
  setName = name: pkg: pkg // { inherit name; };
  lowPrio = addMetaAttrs { priority = 10; };
  hiPrio = addMetaAttrs { priority = -10; };
  setPrio = priority: addMetaAttrs { inherit priority; };
}
