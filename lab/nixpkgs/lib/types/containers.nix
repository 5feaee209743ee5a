{ lib, mkOptionType, phrase, ... }:
let
  inherit (builtins) filter head;

  # Types with one inner type: what holds for the inner one (submodules, merging of declarations) is passed through.
  wrapping =
    rebuild: elemType: args:
    mkOptionType (
      {
        inherit (elemType) getSubModules;
        substSubModules = m: rebuild (elemType.substSubModules m);
        nestedTypes.elemType = elemType;
        typeMerge =
          other:
          if other.name or null != args.name then null
          else
            let
              inner = elemType.typeMerge other.nestedTypes.elemType;
            in
            if inner == null then null else rebuild inner;
      }
      // args
    );

  wordOf = phrase (class: class == "noun" || class == "composite");

  listOf =
    elemType:
    wrapping listOf elemType {
      name = "listOf";
      description = "list of ${wordOf elemType}";
      descriptionClass = "composite";
      check = builtins.isList;
      # An element may itself be conditional: `[ (mkIf c x) ]`.
      merge =
        loc: defs:
        map (x: x.value) (
          filter (x: x ? value) (
            builtins.concatLists (
              lib.imap1 (
                n: def:
                lib.imap1 (
                  m: value:
                  (lib.mergeDefinitions (loc ++ [ "[definition ${toString n}-entry ${toString m}]" ]) elemType [
                    { inherit (def) file; inherit value; }
                  ]).optionalValue
                ) def.value
              ) defs
            )
          )
        );
      emptyValue.value = [ ];
      getSubOptions = prefix: elemType.getSubOptions (prefix ++ [ "*" ]);
    };

  memberDefs =
    def:
    lib.mapAttrs (name: value: {
      inherit (def) file;
      line = (builtins.unsafeGetAttrPos name def.value).line or null;
      inherit value;
    }) def.value;

  attrsWith =
    lazy: elemType:
    let
      merged = loc: defs: lib.mapAttrs (name: values: lib.mergeDefinitions (loc ++ [ name ]) elemType values) (lib.zipAttrs (map memberDefs defs));
    in
    wrapping (attrsWith lazy) elemType {
      name = if lazy then "lazyAttrsOf" else "attrsOf";
      description = (if lazy then "lazy attribute set of " else "attribute set of ") + wordOf elemType;
      descriptionClass = "composite";
      check = builtins.isAttrs;
      merge =
        loc: defs:
        if lazy then
          # Which names exist must not depend on conditions; a name without a value costs its reader an error.
          lib.mapAttrs (_: m: m.optionalValue.value or elemType.emptyValue.value or m.mergedValue) (merged loc defs)
        else lib.mapAttrs (_: m: m.mergedValue) (lib.filterAttrs (_: m: m.isDefined) (merged loc defs));
      emptyValue.value = { };
      getSubOptions = prefix: elemType.getSubOptions (prefix ++ [ "<name>" ]);
    };

  nullOr =
    elemType:
    wrapping nullOr elemType {
      name = "nullOr";
      description = "null or ${phrase (class: class == "noun" || class == "conjunction") elemType}";
      descriptionClass = "conjunction";
      check = v: v == null || elemType.check v;
      merge =
        loc: defs:
        let
          nulls = filter (def: def.value == null) defs;
        in
        if nulls == [ ] then elemType.merge loc defs
        else if builtins.length nulls == builtins.length defs then null
        else
          throw "The option `${lib.showOption loc}' is defined both null and not null, in ${lib.options.showFiles (lib.getFiles defs)}.";
      emptyValue.value = null;
      inherit (elemType) getSubOptions;
    };

  unique =
    { message }:
    elemType:
    wrapping (unique { inherit message; }) elemType {
      name = "unique";
      inherit (elemType) description descriptionClass check emptyValue getSubOptions;
      merge = lib.options.mergeUniqueOption {
        inherit message;
        inherit (elemType) merge;
      };
    };

  functionTo =
    elemType:
    wrapping functionTo elemType {
      name = "functionTo";
      description = "function that evaluates to a(n) ${wordOf elemType}";
      descriptionClass = "composite";
      check = lib.isFunction;
      merge =
        loc: defs: {
          __functor =
            _: arg:
            (lib.mergeDefinitions (loc ++ [ "<function body>" ]) elemType (
              map (def: { inherit (def) file; value = def.value arg; }) defs
            )).mergedValue;
          __functionArgs = lib.foldl' (acc: def: acc // lib.functionArgs def.value) { } defs;
        };
      getSubOptions = prefix: elemType.getSubOptions (prefix ++ [ "<function body>" ]);
    };
in
{
  inherit listOf nullOr unique functionTo;
  attrsOf = attrsWith false;
  lazyAttrsOf = attrsWith true;
  attrsWith =
    { elemType, lazy ? false, placeholder ? "name" }:
    attrsWith lazy elemType;
  nonEmptyListOf =
    elemType:
    let
      list = listOf elemType;
    in
    list
    // {
      description = "non-empty ${list.description}";
      check = v: list.check v && v != [ ];
      emptyValue = { };
      substSubModules = m: lib.types.nonEmptyListOf (elemType.substSubModules m);
    };
  uniq = unique { message = ""; };
}
