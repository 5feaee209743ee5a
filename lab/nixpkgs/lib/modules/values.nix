# Definitions of one option -> its value. First conditions and merges are resolved, then the best priority wins,
# then what remains is ordered, checked by the type and merged by it.
{ lib }:
let
  inherit (builtins) any concatMap filter foldl' isAttrs;

  defaultOverridePriority = 100;
  defaultOrderPriority = 1000;

  typeOf' = v: if isAttrs v then v._type or null else null;

  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  mkOrder = priority: content: {
    _type = "order";
    inherit priority content;
  };
  mkDefinition = args: args // { _type = "definition"; };

  # mkMerge and mkIf disappear here; a false condition takes its definition with it.
  dischargeProperties =
    value:
    let
      type = typeOf' value;
    in
    if type == "merge" then concatMap dischargeProperties value.contents
    else if type == "if" then
      if builtins.isBool value.condition then
        if value.condition then dischargeProperties value.content else [ ]
      else throw "`mkIf' called with a non-Boolean condition"
    else [ value ];

  priorityOf = def: if typeOf' def.value == "override" then def.value.priority else defaultOverridePriority;

  filterOverrides' =
    defs:
    let
      highestPrio = foldl' (best: def: lib.min best (priorityOf def)) 9999 defs;
      strip = def: if typeOf' def.value == "override" then def // { value = def.value.content; } else def;
    in
    {
      values = concatMap (def: if priorityOf def == highestPrio then [ (strip def) ] else [ ]) defs;
      inherit highestPrio;
    };

  sortProperties =
    defs:
    let
      strip =
        def:
        if typeOf' def.value == "order" then
          def
          // {
            value = def.value.content;
            inherit (def.value) priority;
          }
        else def;
      rank = def: def.priority or defaultOrderPriority;
    in
    if any (def: typeOf' def.value == "order") defs then
      builtins.sort (a: b: rank a < rank b) (map strip defs)
    else defs;

  mergeDefinitions =
    loc: type: defs:
    let
      normalised = concatMap (
        def:
        map (
          value: if typeOf' value == "definition" then def // { inherit (value) file value; } else def // { inherit value; }
        ) (dischargeProperties def.value)
      ) defs;
      filtered = filterOverrides' normalised;
      defsFinal = sortProperties filtered.values;
      isDefined = defsFinal != [ ];
      invalid = filter (def: !(type.check def.value)) defsFinal;
      mergedValue =
        if !isDefined then
          throw "The option `${lib.showOption loc}' was accessed but has no value defined. Try setting the option."
        else if invalid != [ ] then
          throw "A definition for option `${lib.showOption loc}' is not of type `${type.description}'. Definition values:${lib.options.showDefs invalid}"
        else type.merge loc defsFinal;
    in
    {
      inherit defsFinal isDefined mergedValue;
      inherit (filtered) highestPrio;
      optionalValue = if isDefined then { value = mergedValue; } else { };
    };
in
{
  inherit
    mkIf
    mkMerge
    mkOverride
    mkOrder
    mkDefinition
    dischargeProperties
    sortProperties
    mergeDefinitions
    defaultOverridePriority
    defaultOrderPriority
    ;
  defaultPriority = defaultOverridePriority;
  filterOverrides = defs: (filterOverrides' defs).values;

  mkAssert = condition: message: content: mkIf (if condition then true else throw "\nFailed assertion: ${message}") content;
  mkOptionDefault = mkOverride 1500;
  mkDefault = mkOverride 1000;
  mkImageMediaOverride = mkOverride 60;
  mkForce = mkOverride 50;
  mkVMOverride = mkOverride 10;
  mkBefore = mkOrder 500;
  mkAfter = mkOrder 1500;
  mkFixStrictness = lib.id;
}
