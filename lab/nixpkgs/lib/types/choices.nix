{ lib, mkOptionType, phrase, ... }:
let
  inherit (builtins) all elem head length;

  show =
    v:
    if builtins.isString v then ''"${v}"''
    else if builtins.isInt v then toString v
    else if builtins.isBool v then lib.boolToString v
    else if v == null then "null"
    else "<${builtins.typeOf v}>";

  enum =
    values:
    mkOptionType {
      name = "enum";
      description =
        if values == [ ] then "impossible (empty enum)"
        else if length values == 1 then "value ${show (head values)} (singular enum)"
        else "one of ${lib.concatMapStringsSep ", " show values}";
      descriptionClass = if length values < 2 then "noun" else "conjunction";
      check = v: elem v values;
      merge = lib.mergeEqualOption;
      # Two declarations of an enum: what either of them allows.
      typeMerge = other: if other.name == "enum" then enum (lib.unique (values ++ other.functor.values)) else null;
      functor = {
        name = "enum";
        inherit values;
      };
    };

  either =
    a: b:
    mkOptionType {
      name = "either";
      description = "${phrase (class: class == "noun" || class == "conjunction") a} or ${phrase (class: class == "noun" || class == "conjunction" || class == "composite") b}";
      descriptionClass = "conjunction";
      check = v: a.check v || b.check v;
      merge =
        loc: defs:
        if all (def: a.check def.value) defs then a.merge loc defs
        else if all (def: b.check def.value) defs then b.merge loc defs
        else lib.mergeOneOption loc defs;
      typeMerge =
        other:
        if other.name != "either" then null
        else
          let
            left = a.typeMerge other.nestedTypes.left;
            right = b.typeMerge other.nestedTypes.right;
          in
          if left == null || right == null then null else either left right;
      nestedTypes = {
        left = a;
        right = b;
      };
    };

  coercedTo =
    from: convert: to:
    assert lib.assertMsg (from.getSubModules == null) "coercedTo: the source type must not have submodules";
    mkOptionType {
      name = "coercedTo";
      description = "${phrase (class: class == "noun") to} or ${phrase (class: class == "noun") from} convertible to it";
      check = v: (from.check v && to.check (convert v)) || to.check v;
      merge =
        loc: defs:
        to.merge loc (map (def: def // { value = if from.check def.value then convert def.value else def.value; }) defs);
      inherit (to) emptyValue getSubOptions getSubModules;
      substSubModules = m: coercedTo from convert (to.substSubModules m);
      # A function cannot be compared, so two declarations never agree.
      typeMerge = _: null;
      nestedTypes = {
        coercedType = from;
        finalType = to;
      };
    };

  addCheck = type: check: type // {
    check = v: type.check v && check v;
    substSubModules = m: addCheck (type.substSubModules m) check;
  };
in
{
  inherit enum either coercedTo addCheck;
  oneOf =
    types:
    if types == [ ] then throw "List passed to `types.oneOf' must not be empty."
    else lib.foldl' either (head types) (builtins.tail types);
}
