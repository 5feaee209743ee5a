{ lib, mkOptionType, ... }:
let
  inherit (lib) mergeEqualOption;
  addCheck = type: check: type // { check = v: type.check v && check v; };

  int = mkOptionType {
    name = "int";
    description = "signed integer";
    descriptionClass = "noun";
    check = builtins.isInt;
    merge = mergeEqualOption;
  };
  float = mkOptionType {
    name = "float";
    description = "floating point number";
    descriptionClass = "noun";
    check = builtins.isFloat;
    merge = mergeEqualOption;
  };
  named = type: name: description: type // { inherit name description; };
  rename = type: type // { typeMerge = other: if other.name == type.name then rename type else null; };

  between =
    lowest: highest:
    assert lib.assertMsg (lowest <= highest) "ints.between: lowest must be smaller than highest";
    rename (
      named (addCheck int (v: v >= lowest && v <= highest)) "intBetween" "integer between ${toString lowest} and ${toString highest} (both inclusive)"
    );
  sized =
    name: words: lowest: highest:
    rename (
      named (addCheck int (v: v >= lowest && v <= highest)) name "${words}; between ${toString lowest} and ${toString highest} (both inclusive)"
    );
  unsigned = bits: highest: sized "unsignedInt${toString bits}" "${toString bits} bit unsigned integer" 0 highest;
  signed = bits: half: sized "signedInt${toString bits}" "${toString bits} bit signed integer" (-half) (half - 1);
  number = lib.types.either int float;
in
{
  inherit int float number;
  ints = {
    inherit between;
    unsigned = rename (named (addCheck int (v: v >= 0)) "unsignedInt" "unsigned integer, meaning >=0");
    positive = rename (named (addCheck int (v: v > 0)) "positiveInt" "positive integer, meaning >0");
    u8 = unsigned 8 255;
    u16 = unsigned 16 65535;
    u32 = unsigned 32 4294967295;
    s8 = signed 8 128;
    s16 = signed 16 32768;
    s32 = signed 32 2147483648;
  };
  port = unsigned 16 65535;
  numbers = {
    between =
      lowest: highest:
      named (addCheck number (v: v >= lowest && v <= highest)) "numberBetween" "integer or floating point number between ${toString lowest} and ${toString highest} (both inclusive)";
    nonnegative = named (addCheck number (v: v >= 0)) "numberNonnegative" "nonnegative integer or floating point number, meaning >=0";
    positive = named (addCheck number (v: v > 0)) "numberPositive" "positive integer or floating point number, meaning >0";
  };
}
