# Modules that keep an old option name alive, or say what became of it.
{ lib }:
let
  inherit (lib) mkIf mkMerge mkOption mkOverride showOption;

  # What was defined for one option, handed on to another one at the same priority.
  mkAliasAndWrapDefsWithPriority =
    wrap: option:
    mkAliasIfDef option (wrap (mkMerge (map (mkOverride (option.highestPrio or 100)) option.definitions)));
  mkAliasIfDef = option: mkIf (lib.isOption option && option.isDefined);

  doRename =
    { from, to, visible, warn, use, withPriority ? true, condition ? true }:
    { config, options, ... }:
    let
      fromOption = lib.getAttrFromPath from options;
      # The target may sit inside a submodule; then there is a value, but no option to take the type from.
      toOption = lib.attrByPath to { } options;
      toValue = lib.attrByPath to (throw "Renaming error: option `${showOption to}' does not exist.") config;
    in
    {
      options = lib.setAttrByPath from (
        mkOption {
          inherit visible;
          description = "Alias of `${showOption to}`.";
          apply = _: use toValue;
        }
        // lib.optionalAttrs (lib.isOption toOption) { inherit (toOption) type; }
      );
      config = mkIf condition (
        mkMerge [
          (lib.optionalAttrs (options ? warnings) {
            warnings =
              lib.optional (warn && fromOption.isDefined)
                "The option `${showOption from}' defined in ${lib.options.showFiles fromOption.files} has been renamed to `${showOption to}'.";
          })
          (mkAliasAndWrapDefsWithPriority (lib.setAttrByPath to) fromOption)
        ]
      );
    };
in
{
  inherit doRename mkAliasAndWrapDefsWithPriority mkAliasIfDef;
  # A value computed from an option keeps that option's priority.
  mkDerivedConfig = option: f: mkOverride (option.highestPrio or 100) (f option.value);
  mkAliasAndWrapDefinitions = wrap: option: mkAliasIfDef option (wrap (mkMerge option.definitions));
  mkAliasDefinitions = option: mkAliasIfDef option (mkMerge option.definitions);

  mkRenamedOptionModule =
    from: to:
    doRename {
      inherit from to;
      visible = false;
      warn = true;
      use = lib.warn "Obsolete option `${showOption from}' is used. It was renamed to `${showOption to}'.";
    };

  mkAliasOptionModule =
    from: to:
    doRename {
      inherit from to;
      visible = true;
      warn = false;
      use = lib.id;
    };

  mkRemovedOptionModule =
    optionName: replacement:
    { options, ... }:
    {
      options = lib.setAttrByPath optionName (mkOption {
        visible = false;
        apply =
          _: throw "The option `${showOption optionName}' can no longer be used since it's been removed. ${replacement}";
      });
      config.assertions =
        let
          option = lib.getAttrFromPath optionName options;
        in
        [
          {
            assertion = !option.isDefined;
            message = "The option definition `${showOption optionName}' in ${lib.options.showFiles option.files} no longer has any effect; please remove it.\n${replacement}";
          }
        ];
    };

  mkMergedOptionModule =
    from: to: mergeFn:
    { config, options, ... }:
    {
      options = builtins.foldl' lib.recursiveUpdate { } (
        map (path: lib.setAttrByPath path (mkOption { visible = false; })) from
      );
      config = {
        warnings = builtins.concatMap (
          path:
          let
            option = lib.getAttrFromPath path options;
          in
          lib.optional option.isDefined "The option `${showOption path}' defined in ${lib.options.showFiles option.files} has been changed to `${showOption to}'."
        ) from;
      }
      // lib.setAttrByPath to (
        mkMerge (
          lib.optional (builtins.any (path: (lib.getAttrFromPath path options).isDefined) from) (mergeFn config)
        )
      );
    };

  mkChangedOptionModule =
    from: to: changeFn:
    lib.mkMergedOptionModule [ from ] to changeFn;
}
