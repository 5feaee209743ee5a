# Declarations and definitions of all modules, merged level by level.
#
# A definition travels as { file; line; wrap; attrs; }: `attrs` stays the set the author wrote (so that the position of
# each name is still known to the evaluator) and `wrap` puts the conditions and priorities it stood under back on a member.
{ lib }:
let
  inherit (builtins) attrNames concatMap filter head isAttrs length tail;
  values = import ./values.nix { inherit lib; };

  kindOf = v: if isAttrs v then v._type or null else null;

  # Conditions around a set become conditions around its members, so that names are known before conditions are.
  pushDown =
    loc: file: wrap: value:
    let
      kind = kindOf value;
    in
    if kind == "merge" then concatMap (pushDown loc file wrap) value.contents
    else if kind == "if" then pushDown loc file (v: wrap (values.mkIf value.condition v)) value.content
    else if kind == "override" then pushDown loc file (v: wrap (values.mkOverride value.priority v)) value.content
    else if kind == "definition" then pushDown loc value.file wrap value.value
    else if isAttrs value then [ { inherit file wrap; attrs = value; } ]
    else
      throw (
        if loc == [ ] then
          "In module `${file}', the configuration is of type ${builtins.typeOf value}, but an attribute set was expected."
        else
          "In module `${file}', you're trying to define a value of type `${builtins.typeOf value}' rather than an attribute set for the option `${lib.showOption loc}'! This usually happens if `${lib.showOption loc}' has option definitions inside that are not matched."
      );

  declarationsOf =
    loc: file: options:
    if isAttrs options then
      lib.mapAttrs (_: option: { inherit file option; }) options
    else
      throw "In module `${file}', the option declarations under `${lib.showOption loc}' are of type ${builtins.typeOf options}, but an attribute set was expected.";

  memberDefinitions =
    def:
    lib.mapAttrs (name: value: {
      inherit (def) file;
      line = (builtins.unsafeGetAttrPos name def.attrs).line or null;
      value = def.wrap value;
    }) def.attrs;

  mergeLevel =
    prefix: declarations: definitions:
    let
      declared = lib.zipAttrs (map (d: declarationsOf prefix d.file d.options) declarations);
      defined = lib.zipAttrs (map memberDefinitions definitions);

      member =
        name: decls:
        let
          loc = prefix ++ [ name ];
          defs = defined.${name} or [ ];
          isLeaf = filter (d: lib.isOption d.option) decls;
          nested = filter (d: !(lib.isOption d.option)) decls;
        in
        if isLeaf == [ ] then
          mergeLevel loc (map (d: { inherit (d) file; options = d.option; }) decls) (
            concatMap (def: pushDown loc def.file lib.id def.value) defs
          )
        else if nested == [ ] then leaf (evalOptionValue loc (mergeDeclarations loc decls) defs)
        else if acceptsNested (head isLeaf).option then
          leaf (evalOptionValue loc (mergeDeclarations loc (map asSubmodule decls)) defs)
        else
          throw "The option `${lib.showOption loc}' in `${(head isLeaf).file}' would be a parent of the following options, but its type `${(head isLeaf).option.type.description or "unspecified"}' does not support nested options.\n- option(s) with prefix `${lib.showOption loc}' in module `${(head nested).file}'";

      members = lib.mapAttrs member declared;
      undeclared = builtins.removeAttrs defined (attrNames declared);
    in
    {
      matched = lib.mapAttrs (_: m: m.matched) members;
      unmatched =
        concatMap (
          name: map (def: def // { prefix = [ name ]; }) undeclared.${name}
        ) (attrNames undeclared)
        ++ concatMap (
          name: map (def: def // { prefix = [ name ] ++ def.prefix; }) members.${name}.unmatched
        ) (attrNames members);
    };

  leaf = option: {
    matched = option;
    unmatched = [ ];
  };

  acceptsNested = option: (option.type or lib.types.unspecified).name == "submodule";

  # `options.x.y` beside an option `x` of a submodule type: one more module of that submodule.
  asSubmodule =
    d:
    if lib.isOption d.option then d
    else
      {
        inherit (d) file;
        option = lib.mkOption {
          type = lib.types.submoduleWith {
            modules = [ { options = d.option; } ];
            shorthandOnlyDefinesConfig = null;
          };
        };
      };

  locate =
    file: type:
    let
      subModules = type.getSubModules or null;
    in
    if subModules == null then type
    else type.substSubModules (map (m: { _file = file; imports = [ m ]; }) subModules);

  # The same option may be declared more than once as long as no statement contradicts or repeats another one.
  mergeDeclarations =
    loc: decls:
    let
      first = head decls;
      start = first.option // {
        inherit loc;
        declarations = [ first.file ];
        type = locate first.file (first.option.type or lib.types.unspecified);
      };
      add =
        acc: d:
        let
          repeated = attr: acc ? ${attr} && d.option ? ${attr};
          nextType = locate d.file d.option.type;
          mergedType =
            if !(first.option ? type) then nextType
            else if !(d.option ? type) then acc.type
            else acc.type.typeMerge nextType;
          already = reason:
            throw "The option `${lib.showOption loc}' in `${d.file}' is already declared in ${lib.concatMapStringsSep " and " (f: "`${f}'") acc.declarations}${reason}.";
        in
        if repeated "default" || repeated "example" || repeated "description" || repeated "apply" then already ""
        else if mergedType == null then already ", with a type that cannot be merged"
        else
          acc
          // d.option
          // {
            declarations = acc.declarations ++ [ d.file ];
            type = mergedType;
          };
    in
    builtins.foldl' add start (tail decls);

  evalOptionValue =
    loc: option: defs:
    let
      withDefault =
        lib.optional (option ? default) {
          file = head option.declarations;
          line = null;
          value = values.mkOptionDefault option.default;
        }
        ++ defs;
      result =
        if option.readOnly or false && length withDefault > 1 then
          throw "The option `${lib.showOption loc}' is read-only, but it's set multiple times. Definition values:${lib.options.showDefs withDefault}"
        else values.mergeDefinitions loc option.type withDefault;
      value = if option ? apply then option.apply result.mergedValue else result.mergedValue;
    in
    option
    // {
      inherit loc;
      value = builtins.addErrorContext "while evaluating the option `${lib.showOption loc}':" value;
      inherit (result) isDefined highestPrio;
      definitions = map (def: def.value) result.defsFinal;
      files = map (def: def.file) result.defsFinal;
      definitionsWithLocations = map (def: { inherit (def) file value; }) result.defsFinal;
      __toString = _: lib.showOption loc;
    };
in
{
  inherit evalOptionValue;

  mergeModules =
    prefix: modules:
    mergeLevel prefix (map (m: { inherit (m) file options; }) modules) (
      concatMap (m: pushDown prefix m.file lib.id m.config) modules
    );
}
