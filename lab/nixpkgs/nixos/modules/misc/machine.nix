# What belongs to the machine itself: disks, boot loader, kernel, clock, language, memory. All of it is checked as NixOS
# checks it; a machine of the lab takes it from its host, so little of it does anything.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  recorded = type: default: description: mkOption { inherit type default; description = "${description} (recorded only)"; };
  bool = default: recorded types.bool default;
  strings = recorded (types.listOf types.str) [ ];
  sysctlValue = types.nullOr (types.oneOf [ types.bool types.str types.int ]);

  fileSystem =
    { name, ... }:
    {
      options = {
        mountPoint = mkOption { type = types.strMatching "/.*|none"; default = name; description = "Where it is mounted."; };
        device = mkOption { type = types.nullOr types.str; default = null; description = "Device."; };
        fsType = mkOption { type = types.str; default = "auto"; description = "Type."; };
        options = mkOption { type = types.listOf types.str; default = [ "defaults" ]; description = "Options."; };
        label = mkOption { type = types.nullOr types.str; default = null; description = "Label."; };
        depends = mkOption { type = types.listOf types.str; default = [ ]; description = "What must be mounted first."; };
        neededForBoot = mkOption { type = types.bool; default = false; description = "Whether the boot needs it."; };
        autoFormat = mkOption { type = types.bool; default = false; description = "Whether it is formatted."; };
        autoResize = mkOption { type = types.bool; default = false; description = "Whether it grows."; };
        noCheck = mkOption { type = types.bool; default = false; description = "Whether it is not checked."; };
      };
    };
  swap = {
    options = {
      device = mkOption { type = types.str; description = "Device or file."; };
      size = mkOption { type = types.nullOr types.int; default = null; description = "Size in MiB, for a file."; };
      priority = mkOption { type = types.nullOr types.int; default = null; description = "Priority."; };
      options = mkOption { type = types.listOf types.str; default = [ "defaults" ]; description = "Options."; };
    };
  };
in
{
  options = {
    fileSystems = mkOption { type = types.attrsOf (types.submodule fileSystem); default = { }; description = "File systems (recorded only)."; };
    swapDevices = mkOption { type = types.listOf (types.submodule swap); default = [ ]; description = "Swap (recorded only)."; };
    zramSwap = {
      enable = bool false "Whether swap is in compressed memory";
      memoryPercent = recorded types.int 50 "How much of the memory";
      algorithm = recorded types.str "zstd" "Compression";
      priority = recorded types.int 5 "Priority";
    };
    boot = {
      isContainer = mkOption { type = types.bool; default = false; description = "Whether the system runs in a container: then it needs no disk and no boot loader."; };
      loader = {
        grub = {
          enable = recorded types.bool (!config.boot.isContainer) "Whether grub boots the machine";
          device = recorded types.str "" "Disk of grub";
          devices = strings "Disks of grub";
          efiSupport = bool false "Whether grub boots by EFI";
          efiInstallAsRemovable = bool false "Whether grub takes the fallback path";
          configurationLimit = recorded types.int 100 "How many generations are in the menu";
          useOSProber = bool false "Whether other systems are looked for";
          mirroredBoots = recorded (types.listOf types.attrs) [ ] "Mirrored boot partitions";
        };
        systemd-boot.enable = bool false "Whether systemd-boot boots the machine";
        systemd-boot.configurationLimit = recorded (types.nullOr types.int) null "How many generations are in the menu";
        efi.canTouchEfiVariables = bool false "Whether EFI variables may be changed";
        efi.efiSysMountPoint = recorded types.str "/boot" "EFI partition";
        timeout = recorded (types.nullOr types.int) 5 "Seconds of the menu";
        generic-extlinux-compatible.enable = bool false "Whether extlinux boots the machine";
      };
      initrd = {
        availableKernelModules = strings "Modules that the initrd has";
        kernelModules = strings "Modules that the initrd loads";
        supportedFilesystems = recorded (types.either (types.listOf types.str) (types.attrsOf types.bool)) [ ] "File systems of the initrd";
        systemd.enable = bool false "Whether systemd runs in the initrd";
      };
      kernel.sysctl = mkOption { type = types.submodule { freeformType = types.attrsOf sysctlValue; }; default = { }; description = "Kernel parameters; those that the machine may set are set."; };
      kernelModules = strings "Modules to load";
      extraModulePackages = recorded (types.listOf types.package) [ ] "More modules";
      extraModprobeConfig = recorded types.lines "" "modprobe.conf";
      blacklistedKernelModules = strings "Modules that are not loaded";
      kernelParams = strings "Parameters of the kernel";
      supportedFilesystems = recorded (types.either (types.listOf types.str) (types.attrsOf types.bool)) [ ] "File systems";
      growPartition = bool false "Whether the root partition grows";
      tmp = {
        cleanOnBoot = bool false "Whether /tmp is emptied at boot";
        useTmpfs = bool false "Whether /tmp is in memory";
        tmpfsSize = recorded (types.oneOf [ types.str types.ints.positive ]) "50%" "Its size";
      };
    };
    hardware = {
      enableRedistributableFirmware = bool false "Whether firmware is there";
      cpu.intel.updateMicrocode = bool false "Whether microcode is updated";
      cpu.amd.updateMicrocode = bool false "Whether microcode is updated";
    };
    powerManagement.cpuFreqGovernor = recorded (types.nullOr types.str) null "Governor of the clock";
    time = {
      timeZone = mkOption { type = types.nullOr types.str; default = null; description = "Time zone; null: UTC."; };
      hardwareClockInLocalTime = bool false "Whether the clock is in local time";
    };
    i18n = {
      defaultLocale = recorded types.str "en_US.UTF-8" "Language";
      supportedLocales = strings "Languages";
      extraLocaleSettings = recorded (types.attrsOf types.str) { } "Parts of the language";
    };
    console = {
      keyMap = recorded (types.either types.str types.path) "us" "Keyboard";
      font = recorded (types.nullOr types.str) null "Font";
    };
    documentation = {
      enable = bool true "Whether documentation is installed";
      nixos.enable = bool true "Whether the manual is built";
      man.enable = bool true "Whether manual pages are installed";
      doc.enable = bool true "Whether documents are installed";
      info.enable = bool true "Whether info pages are installed";
    };
    services.journald.extraConfig = mkOption { type = types.lines; default = ""; description = "Lines of journald.conf (recorded only)."; };
    services.timesyncd.enable = bool true "Whether the clock is synchronised";
    services.resolved.enable = bool false "Whether resolved runs";
    services.qemuGuest.enable = bool false "Whether the guest agent runs";
    services.fstrim.enable = bool true "Whether disks are trimmed";
    services.cloud-init.enable = bool false "Whether cloud-init runs";
    services.udev.extraRules = recorded types.lines "" "Rules of udev";
    security = {
      sudo.enable = bool true "Whether sudo is there";
      sudo.wheelNeedsPassword = bool true "Whether sudo asks";
      pki.certificateFiles = recorded (types.listOf types.path) [ ] "More certificate authorities";
      polkit.enable = bool false "Whether polkit runs";
      rtkit.enable = bool false "Whether rtkit runs";
    };
    programs = {
      bash.completion.enable = bool true "Whether bash completes";
      command-not-found.enable = bool true "Whether missing commands are looked up";
      nix-ld.enable = bool false "Whether foreign binaries run";
      git.enable = bool false "Whether git is installed";
      vim.enable = bool false "Whether vim is installed";
    };
  };

  config = {
    assertions = [
      {
        assertion = config.boot.isContainer || config.fileSystems ? "/";
        message = "The ‘fileSystems’ option does not specify your root file system.";
      }
      {
        assertion =
          let
            loader = config.boot.loader;
          in
          !loader.grub.enable || loader.systemd-boot.enable || loader.generic-extlinux-compatible.enable
          || loader.grub.device != "" || loader.grub.devices != [ ] || loader.grub.mirroredBoots != [ ];
        message = "You must set the option ‘boot.loader.grub.devices’ or 'boot.loader.grub.mirroredBoots' to make the system bootable.";
      }
    ];

    systemd.globalEnvironment = {
      TZDIR = "/etc/zoneinfo";
      LOCALE_ARCHIVE = "/run/current-system/sw/lib/locale/locale-archive";
    };
    environment.etc = {
      zoneinfo.source = "${pkgs.tzdata}/share/zoneinfo";
      "sysctl.d/60-nixos.conf".text = lib.concatStrings (
        lib.mapAttrsToList (n: v: lib.optionalString (v != null) "${n}=${if v == false then "0" else toString v}\n") config.boot.kernel.sysctl
      );
    };
    # A container may not set all of them; NixOS's own service ignores that too.
    system.activationScripts.sysctl = lib.mkIf (config.boot.kernel.sysctl != { }) {
      deps = [ "etc" ];
      text = "sysctl -q -e -p /etc/sysctl.d/60-nixos.conf 2>/dev/null || true";
    };
    system.activationScripts.timezone.text =
      if config.time.timeZone == null then "rm -f /etc/localtime"
      else "ln -sfn /usr/share/zoneinfo/${lib.escapeShellArg config.time.timeZone} /etc/localtime";
  };
}
