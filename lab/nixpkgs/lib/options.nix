# Declaring options, and showing them and their definitions to people.
{ lib }:
let
  inherit (builtins) head isAttrs length tail;
in
rec {
  isOption = v: isAttrs v && v._type or null == "option";

  # The names are spelled out: an unknown argument of mkOption is an error of the author.
  mkOption =
    { default ? null, defaultText ? null, example ? null, description ? null, relatedPackages ? null, type ? null, apply ? null, internal ? null, visible ? null, readOnly ? null }@args:
    args // { _type = "option"; };

  mkEnableOption =
    name:
    mkOption {
      default = false;
      example = true;
      description = "Whether to enable ${name}.";
      type = lib.types.bool;
    };

  mkPackageOption =
    pkgs: name:
    { nullable ? false, default ? name, example ? null, extraDescription ? "", pkgsText ? "pkgs" }:
    let
      path = if builtins.isList name then name else [ name ];
      defaultPath = if default == null then null else if builtins.isList default then default else [ default ];
      dotted = lib.concatStringsSep ".";
    in
    mkOption (
      {
        description = "The ${lib.last path} package to use. ${extraDescription}";
        type = if nullable then lib.types.nullOr lib.types.package else lib.types.package;
      }
      // lib.optionalAttrs (default != null) {
        default = lib.attrByPath defaultPath (throw "${dotted defaultPath} cannot be found in ${pkgsText}") pkgs;
        defaultText = literalExpression "${pkgsText}.${dotted defaultPath}";
      }
      // lib.optionalAttrs (default == null && nullable) { default = null; }
      // lib.optionalAttrs (example != null) {
        example = literalExpression (
          if builtins.isList example then "${pkgsText}.${dotted example}" else example
        );
      }
    );

  mkSinkUndeclaredOptions =
    attrs:
    mkOption (
      {
        internal = true;
        visible = false;
        default = false;
        description = "Swallows definitions of options that nobody declared.";
        type = lib.mkOptionType {
          name = "sink";
          check = _: true;
          merge = _: _: false;
        };
      }
      // attrs
    );

  literalExpression = text: { _type = "literalExpression"; inherit text; };
  literalMD = text: { _type = "literalMD"; inherit text; };
  literalExample = literalExpression;

  getValues = map (def: def.value);
  getFiles = map (def: def.file);

  mergeDefaultOption =
    loc: defs:
    let
      values = getValues defs;
    in
    if length values == 1 then head values
    else if builtins.all lib.isFunction values then x: mergeDefaultOption loc (map (def: def // { value = def.value x; }) defs)
    else if builtins.all builtins.isList values then builtins.concatLists values
    else if builtins.all isAttrs values then builtins.foldl' (a: b: a // b) { } values
    else if builtins.all builtins.isBool values then builtins.any lib.id values
    else if builtins.all builtins.isString values then lib.concatStrings values
    else if builtins.all builtins.isInt values && builtins.all (v: v == head values) values then head values
    else conflict loc defs;

  mergeOneOption = mergeUniqueOption { message = ""; };
  mergeUniqueOption =
    { message, merge ? loc: defs: (head defs).value }:
    loc: defs:
    if length defs == 1 then merge loc defs
    else
      throw "The option `${showOption loc}' is defined multiple times while it's expected to be unique.\n${message}\nDefinition values:${showDefs defs}\nUse `lib.mkForce value` or `lib.mkDefault value` to change the priority on any of these definitions.";

  mergeEqualOption =
    loc: defs:
    if defs == [ ] then abort "This case should never happen."
    else if length defs == 1 then (head defs).value
    else
      (builtins.foldl' (
        first: def: if def.value == first.value then first else conflict loc [ first def ]
      ) (head defs) (tail defs)).value;

  conflict =
    loc: defs:
    throw "The option `${showOption loc}' has conflicting definition values:${showDefs defs}\nUse `lib.mkForce value` or `lib.mkDefault value` to change the priority on any of these definitions.";

  showOption = lib.concatMapStringsSep "." (part: if builtins.elem part [ "*" "<name>" ] then part else lib.strings.escapeNixIdentifier part);
  showFiles = files: lib.concatStringsSep " and " (map (f: "`${f}'") files);

  # "- In `file:12': value" for each definition; the line where the evaluator knows it.
  showDefs =
    lib.concatMapStrings (
      def:
      let
        shown = builtins.tryEval (
          lib.generators.toPretty { } (
            lib.generators.withRecursion { depthLimit = 10; throwOnDepthLimit = false; } def.value
          )
        );
        lines = lib.splitString "\n" shown.value;
        cut = lib.take 5 lines ++ lib.optional (length lines > 5) "...";
        text = if !shown.success then "" else ": ${lib.concatStringsSep "\n    " cut}";
        line = if def.line or null == null then "" else ":${toString def.line}";
      in
      "\n- In `${def.file}${line}'${text}"
    );

  optionAttrSetToDocList =
    options:
    builtins.concatMap (
      option:
      let
        sub = option.type.getSubOptions option.loc;
      in
      [
        {
          name = showOption option.loc;
          inherit (option) loc declarations;
          description = option.description or null;
          internal = option.internal or false;
          visible = option.visible or true;
          readOnly = option.readOnly or false;
          type = option.type.description or "unspecified value";
        }
      ]
      ++ lib.optionals (option.visible or true != "shallow" && sub != { }) (optionAttrSetToDocList sub)
    ) (lib.collect isOption (builtins.removeAttrs options [ "_module" ]));

  unknownModule = "<unknown-file>";
}
