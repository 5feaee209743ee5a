# A module may be a path, a set or a function. Here each becomes
#   { key; file; disabledModules; imports; options; config; }
# and the closure of their imports is taken.
{ lib }:
let
  inherit (builtins) attrNames head isAttrs isList removeAttrs;

  structural = [ "_class" "_file" "key" "disabledModules" "imports" "options" "config" "meta" "freeformType" ];

  withFreeform =
    m: config:
    if m.freeformType or null == null then config
    else lib.mkMerge [ config { _module.freeformType = m.freeformType; } ];

  checkClass =
    class: file: m: value:
    if class != null && m._class or null != null && m._class != class then
      throw "The module `${file}' (class: ${lib.strings.escapeNixString m._class}) cannot be imported into a module evaluation that expects class ${lib.strings.escapeNixString class}."
    else value;

  # `options` or `config` at the top makes everything else structural too: a stray name there is a mistake.
  normalise =
    class: fallbackFile: fallbackKey: m:
    let
      file = toString (m._file or fallbackFile);
      structured = m ? options || m ? config;
      stray = removeAttrs m structural;
    in
    checkClass class file m (
      if structured && stray != { } then
        throw "Module `${toString (m.key or fallbackKey)}' (${file}) has an unsupported attribute `${head (attrNames stray)}'. This is caused by introducing a top-level `config' or `options' attribute. Add configuration attributes immediately on the top level instead, or move all of them (namely: ${toString (attrNames stray)}) into the explicit `config' attribute."
      else
        {
          inherit file;
          key = toString (m.key or fallbackKey);
          disabledModules = m.disabledModules or [ ];
          imports = m.imports or [ ];
          options = m.options or { };
          config = withFreeform m (if structured then m.config or { } else stray);
        }
    );

  # Arguments are looked up lazily: a module may take `config._module.args.x` and help to define it.
  callModule =
    context: file: f:
    let
      fromConfig = lib.mapAttrs (
        name: _:
        builtins.addErrorContext "while evaluating the module argument `${name}' in \"${file}\":" (
          context.args.${name} or (context.config._module.args.${name} or (throw "The module `${file}' asks for the argument `${name}', but neither specialArgs nor `_module.args' provides it."))
        )
      ) (lib.functionArgs f);
    in
    f (context.args // fromConfig);

  loadOne =
    context: fallbackFile: fallbackKey: m:
    let
      normal = normalise context.class;
    in
    if lib.isFunction m then normal fallbackFile fallbackKey (callModule context fallbackFile m)
    else if isAttrs m && !(lib.isStringLike m) then
      if m._type or "module" == "module" then normal fallbackFile fallbackKey m
      else if m._type == "if" || m._type == "override" || m._type == "merge" then
        normal fallbackFile fallbackKey { config = m; }
      else
        throw "Could not load a value as a module, because it is of type ${lib.strings.escapeNixString m._type}, in file ${fallbackFile}."
    else if isList m then
      throw "Module imports can't be nested lists. Perhaps you meant to remove one level of lists? Definition in ${fallbackFile}."
    else if !(builtins.isPath m || lib.isStringLike m) then
      throw "Could not load a value as a module, because it is of type ${builtins.typeOf m}, in file ${fallbackFile}."
    else
      let
        file = toString m;
        content = import m;
      in
      normal file file (if lib.isFunction content then callModule context file content else content);

  children =
    context: parentFile: parentKey: modules:
    lib.imap1 (
      n: m:
      let
        module = loadOne context parentFile "${parentKey}:anon-${toString n}" m;
      in
      {
        inherit (module) key;
        inherit module;
        children = children context module.file module.key module.imports;
      }
    ) modules;

  disabledKey =
    modulesPath: file: m:
    if builtins.isString m then if lib.hasPrefix "/" m then m else "${toString modulesPath}/${m}"
    else if isAttrs m && m ? key then m.key
    else if isAttrs m && !(lib.isStringLike m) then
      throw "Module `${file}' contains a disabledModules item that is an attribute set, presumably a module, that does not have a `key' attribute."
    else toString m;

  # genericClosure walks breadth first; the order of definitions depends on it (merge.nix reverses the result).
  walk =
    keep: roots:
    builtins.genericClosure {
      startSet = builtins.filter keep roots;
      operator = item: builtins.filter keep item.children;
    };

  closure =
    { modules, args, config, class, modulesPath }:
    let
      context = { inherit args config class; };
      roots = children context "<unknown-file>" "" modules;
      everything = walk (_: true) roots;
      disabled = builtins.concatMap (
        item: map (disabledKey modulesPath item.module.file) item.module.disabledModules
      ) everything;
      kept = if disabled == [ ] then everything else walk (item: !(builtins.elem item.key disabled)) roots;
    in
    map (item: item.module) kept;
in
{
  inherit closure;

  # One import level deeper, and with a file name for the error texts.
  setDefaultModuleLocation = file: m: {
    _file = file;
    imports = [ m ];
  };

  importApply = path: staticArgs: {
    _file = toString path;
    imports = [ (import path staticArgs) ];
  };
}
