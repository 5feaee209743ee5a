# evalModules: from a list of modules to the values of their options.
#
# Three steps, one file each:
#   modules/load.nix     a path, function or set becomes one record; imports are followed, disabledModules obeyed
#   modules/merge.nix    declarations and definitions are brought together level by level
#   modules/values.nix   the definitions of one option become its value (conditions, priorities, order, type)
{ lib }:
let
  load = import ./modules/load.nix { inherit lib; };
  merge = import ./modules/merge.nix { inherit lib; };
  values = import ./modules/values.nix { inherit lib; };
  rename = import ./modules/rename.nix { inherit lib; };
  inherit (lib) mkOption types;

  # The options every evaluation has, whatever its modules say.
  internalModule =
    { args, specialArgs, prefix }:
    {
      _file = "lib/modules.nix";
      key = "lib/modules.nix#internal";
      options._module = {
        args = mkOption {
          type = types.lazyAttrsOf types.raw;
          internal = true;
          description = "Arguments passed by name to every module that is a function.";
        };
        check = mkOption {
          type = types.bool;
          internal = true;
          default = true;
          description = "Whether a definition without a declaration is an error.";
        };
        freeformType = mkOption {
          type = types.nullOr types.optionType;
          internal = true;
          default = null;
          description = "Type of all definitions without a declaration; null forbids them.";
        };
        specialArgs = mkOption {
          type = types.raw;
          internal = true;
          readOnly = true;
          description = "The specialArgs of this evaluation.";
        };
      };
      config._module = {
        inherit args;
        inherit specialArgs;
      };
    };

  unknownOptionError =
    prefix: unmatched:
    let
      first = builtins.head unmatched;
      here = prefix ++ first.prefix;
      looksLikeDeclaration = builtins.tryEval (lib.isOption first.value);
      hint =
        if looksLikeDeclaration.success && looksLikeDeclaration.value then
          "\n\nThe value is an option declaration: it belongs under `options', not under `config'."
        else "";
    in
    throw "The option `${lib.showOption here}' does not exist. Definition values:${lib.options.showDefs [ first ]}${hint}";

  evalModules =
    evalArgs@{ modules, specialArgs ? { }, prefix ? [ ], class ? null, modulesPath ? specialArgs.modulesPath or "" }:
    let
      moduleArgs = {
        inherit lib config options specialArgs;
        _class = class;
        _prefix = prefix;
      } // specialArgs;

      internal = internalModule {
        inherit specialArgs prefix;
        args = {
          inherit extendModules;
          moduleType = type;
        };
      };

      loaded = load.closure {
        modules = modules ++ [ internal ];
        args = moduleArgs;
        inherit config class modulesPath;
      };

      merged = merge.mergeModules prefix (lib.reverseList loaded);
      options = merged.matched;

      declared = lib.mapAttrsRecursiveCond (v: !(lib.isOption v)) (_: option: option.value) options;
      inherit (declared._module) freeformType;
      freeform = freeformType.merge prefix (
        map (def: {
          inherit (def) file;
          value = lib.setAttrByPath def.prefix def.value;
        }) merged.unmatched
      );
      config =
        if freeformType == null then declared
        else if merged.unmatched == [ ] then
          # Still ask the type: the empty definition may have members of its own.
          declared
        else lib.recursiveUpdate freeform declared;

      checked =
        if declared._module.check && freeformType == null && merged.unmatched != [ ] then
          unknownOptionError prefix merged.unmatched
        else null;

      extendModules =
        more@{ modules ? [ ], specialArgs ? { }, prefix ? evalArgs.prefix or [ ] }:
        evalModules (
          evalArgs
          // {
            modules = evalArgs.modules ++ modules;
            specialArgs = evalArgs.specialArgs or { } // specialArgs;
            inherit prefix;
          }
        );

      type = types.submoduleWith {
        inherit modules specialArgs class;
      };
    in
    {
      _type = "configuration";
      inherit options extendModules type class;
      config = builtins.seq checked (builtins.removeAttrs config [ "_module" ]);
      _module = builtins.seq checked config._module;
    };
in
rename
// {
  inherit evalModules;
  inherit (values)
    mkIf
    mkAssert
    mkMerge
    mkOverride
    mkOptionDefault
    mkDefault
    mkForce
    mkVMOverride
    mkImageMediaOverride
    mkOrder
    mkBefore
    mkAfter
    mkFixStrictness
    defaultOverridePriority
    defaultOrderPriority
    defaultPriority
    mkDefinition
    mergeDefinitions
    dischargeProperties
    filterOverrides
    sortProperties
    ;
  inherit (load) setDefaultModuleLocation importApply;
  inherit (merge) evalOptionValue;
  mergeModules = prefix: modules: (merge.mergeModules prefix modules);
}
