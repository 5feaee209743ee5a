# A module evaluation of its own inside an option.
{ lib, mkOptionType, phrase, ... }:
let
  inherit (builtins) isAttrs;

  submoduleWith =
    args@{
      modules,
      specialArgs ? { },
      # A plain set given as value: true = it is all configuration, false = it is a module.
      shorthandOnlyDefinesConfig ? false,
      description ? null,
      class ? null,
    }:
    let
      asModule =
        { value, file, ... }:
        if isAttrs value && shorthandOnlyDefinesConfig == true then
          { _file = file; config = value; }
        else { _file = file; imports = [ value ]; };

      base = lib.evalModules {
        inherit specialArgs class;
        # A name for documentation; every real instance overrides it.
        modules = [ { _module.args.name = lib.mkOptionDefault "‹name›"; } ] ++ modules;
      };
      inherit (base._module) freeformType;
    in
    mkOptionType {
      name = "submodule";
      description =
        if description != null then description
        else if freeformType != null then "open submodule of ${phrase (class: class == "noun" || class == "composite") freeformType}"
        else "submodule";
      check = v: isAttrs v || lib.isFunction v || lib.types.path.check v;
      merge =
        loc: defs:
        (base.extendModules {
          modules = [ { _module.args.name = lib.last loc; } ] ++ map asModule defs;
          prefix = loc;
        }).config;
      emptyValue.value = { };
      getSubOptions = prefix: (base.extendModules { inherit prefix; }).options;
      getSubModules = modules;
      substSubModules = m: submoduleWith (args // { modules = m; });
      functor = {
        name = "submodule";
        payload = args;
      };
      typeMerge =
        other:
        if other.name != "submodule" then null
        else
          let
            theirs = other.functor.payload;
            mine = args.shorthandOnlyDefinesConfig or false;
            their = theirs.shorthandOnlyDefinesConfig or false;
          in
          submoduleWith {
            modules = modules ++ theirs.modules;
            specialArgs = specialArgs // theirs.specialArgs or { };
            class = if class != null then class else theirs.class or null;
            description = if description != null then description else theirs.description or null;
            shorthandOnlyDefinesConfig =
              if mine == null then their
              else if their == null || mine == their then mine
              else throw "A submodule option is declared multiple times with conflicting shorthandOnlyDefinesConfig values";
          };
    };

  deferredModuleWith =
    { staticModules ? [ ] }:
    mkOptionType {
      name = "deferredModule";
      description = "module";
      descriptionClass = "noun";
      check = v: isAttrs v || lib.isFunction v || lib.types.path.check v;
      merge = loc: defs: {
        imports = staticModules ++ map (def: {
          _file = "${def.file}, via option ${lib.showOption loc}";
          imports = [ def.value ];
        }) defs;
      };
      getSubModules = staticModules;
      substSubModules = m: deferredModuleWith { staticModules = m; };
    };
in
{
  inherit submoduleWith deferredModuleWith;
  deferredModule = deferredModuleWith { };
  submodule =
    modules:
    submoduleWith {
      shorthandOnlyDefinesConfig = true;
      modules = lib.toList modules;
    };
}
