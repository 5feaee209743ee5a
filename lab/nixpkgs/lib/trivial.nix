# Small helpers that belong to no data type.
{ lib }:
rec {
  inherit (builtins)
    add
    bitAnd
    bitOr
    bitXor
    div
    fromJSON
    genericClosure
    isBool
    isFloat
    isInt
    lessThan
    mul
    pathExists
    readFile
    seq
    deepSeq
    sub
    throw
    toJSON
    trace
    tryEval
    ;

  id = x: x;
  const = x: _: x;
  flip = f: a: b: f b a;
  pipe = value: steps: builtins.foldl' (acc: step: step acc) value steps;
  concat = a: b: a ++ b;
  or = a: b: a || b;
  and = a: b: a && b;
  xor = a: b: a != b;
  mod = base: int: base - (int * (builtins.div base int));
  min = a: b: if a < b then a else b;
  max = a: b: if a > b then a else b;
  compare = a: b: if a < b then -1 else if a > b then 1 else 0;
  mergeAttrs = a: b: a // b;
  defaultTo = fallback: value: if value == null then fallback else value;
  mapNullable = f: value: if value == null then null else f value;
  boolToString = b: if b then "true" else "false";
  importJSON = path: builtins.fromJSON (builtins.readFile path);
  importTOML = path: builtins.fromTOML (builtins.readFile path);
  inNixShell = false;
  inPureEvalMode = !builtins ? currentSystem;
  version = "25.05.lab";
  release = "25.05";
  codeName = "Warbler";
  revisionWithDefault = fallback: fallback;

  warn = message: builtins.trace "warning: ${message}";
  warnIf = condition: message: if condition then warn message else id;
  warnIfNot = condition: warnIf (!condition);
  throwIf = condition: message: if condition then throw message else id;
  throwIfNot = condition: throwIf (!condition);
  showWarnings = warnings: value: builtins.foldl' (rest: message: warn message rest) value warnings;
  assertMsg = condition: message: if condition then true else throw message;

  # A set with `__functor` counts as a function; `functionArgs` then reads `__functionArgs`.
  isFunction = f: builtins.isFunction f || (f ? __functor && isFunction (f.__functor f));
  functionArgs =
    f: if f ? __functor then f.__functionArgs or (functionArgs (f.__functor f)) else builtins.functionArgs f;
  setFunctionArgs = f: args: {
    __functor = _: f;
    __functionArgs = args;
  };
  toFunction = v: if isFunction v then v else (_: v);

  fix = f: let x = f x; in x;
  extends = overlay: base: final: let prev = base final; in prev // overlay final prev;
  composeManyExtensions =
    overlays: final: prev:
    builtins.foldl' (acc: overlay: acc // overlay final (prev // acc)) { } overlays;

  toHexString =
    n:
    let
      digits = lib.stringToCharacters "0123456789ABCDEF";
      go = i: if i < 16 then builtins.elemAt digits i else go (i / 16) + builtins.elemAt digits (mod i 16);
    in
    go n;
}
