# The option types. `check` looks at one definition, `merge` makes one value of all; types are split by what they hold.
{ lib }:
let
  inherit (lib) mergeEqualOption mergeOneOption mergeDefaultOption;

  isType = type: v: v._type or "" == type;

  # Two declarations of one option: equal names of simple types are the same type.
  defaultTypeMerge = self: other: if self.name == other.name then self else null;

  mkOptionType =
    {
      name,
      description ? name,
      # How the description may stand inside a longer one: a noun needs no brackets.
      descriptionClass ? null,
      check ? (_: true),
      merge ? mergeDefaultOption,
      # `{ value = x; }` if an attribute without definitions is still worth something (lazyAttrsOf).
      emptyValue ? { },
      getSubOptions ? (_: { }),
      getSubModules ? null,
      substSubModules ? (_: null),
      typeMerge ? null,
      nestedTypes ? { },
      deprecationMessage ? null,
      functor ? null,
    }@args:
    let
      self = {
        _type = "option-type";
        inherit name description descriptionClass check merge emptyValue getSubOptions getSubModules substSubModules nestedTypes deprecationMessage;
        typeMerge = if typeMerge != null then typeMerge else defaultTypeMerge self;
        functor = if functor != null then functor else { inherit name; type = self; };
      }
      // builtins.removeAttrs args [ "typeMerge" "functor" ];
    in
    self;

  parts = { inherit lib mkOptionType phrase; };

  # The description of an inner type, in brackets where it would read wrongly.
  phrase =
    ok: type:
    if ok (type.descriptionClass or null) then type.description or type.name else "(${type.description or type.name})";

  types =
    import ./types/simple.nix parts
    // import ./types/numbers.nix parts
    // import ./types/strings.nix parts
    // import ./types/containers.nix parts
    // import ./types/choices.nix parts
    // import ./types/submodule.nix parts;
in
types
// {
  inherit mkOptionType isType;
  isOptionType = isType "option-type";
  setType = typeName: value: value // { _type = typeName; };
  inherit defaultTypeMerge;
  optionDescriptionPhrase = phrase;
}
