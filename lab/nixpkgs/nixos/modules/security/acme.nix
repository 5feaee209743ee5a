# security.acme: checked and recorded. A lab machine cannot be reached by a certificate authority; in place of each
# certificate a self-signed one is made, as the real module does before the first answer of the authority.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.security.acme;
  optional = type: description: mkOption { type = types.nullOr type; default = null; inherit description; };

  common = {
    email = optional types.str "Account of the authority.";
    server = optional types.str "The authority.";
    webroot = optional types.str "Folder of the challenges.";
    dnsProvider = optional types.str "DNS provider.";
    environmentFile = optional types.path "Environment of the DNS provider.";
    credentialsFile = optional types.path "Older name of environmentFile.";
    credentialFiles = mkOption { type = types.attrsOf types.path; default = { }; description = "Files of credentials."; };
    group = mkOption { type = types.str; default = "acme"; description = "Group that reads the certificate."; };
    reloadServices = mkOption { type = types.listOf types.str; default = [ ]; description = "Units to reload."; };
    postRun = mkOption { type = types.lines; default = ""; description = "Shell after a renewal."; };
    keyType = mkOption { type = types.str; default = "ec256"; description = "Kind of key."; };
    validMinDays = mkOption { type = types.int; default = 30; description = "Days before the end at which it is renewed."; };
    renewInterval = mkOption { type = types.str; default = "daily"; description = "How often that is looked at."; };
    extraLegoFlags = mkOption { type = types.listOf types.str; default = [ ]; description = "More flags."; };
    dnsPropagationCheck = mkOption { type = types.bool; default = true; description = "Whether DNS is waited for."; };
  };
  certificate =
    { name, ... }:
    {
      options = common // {
        domain = mkOption { type = types.str; default = name; description = "Name in the certificate."; };
        extraDomainNames = mkOption { type = types.listOf types.str; default = [ ]; description = "More names."; };
        directory = mkOption { type = types.str; readOnly = true; default = "/var/lib/acme/${name}"; description = "Where it is."; };
        listenHTTP = optional types.str "Where the challenge is answered.";
      };
      # Weaker than a mkDefault, with which nginx names its own group and folder.
      config = lib.mapAttrs (_: lib.mkOverride 1200) {
        inherit (cfg.defaults) email server group webroot dnsProvider environmentFile;
      };
    };
in
{
  options.security.acme = {
    acceptTerms = mkOption { type = types.bool; default = false; description = "Whether the authority's terms are accepted."; };
    preliminarySelfsigned = mkOption { type = types.bool; default = true; description = "Whether a self-signed certificate stands in before the first answer."; };
    maxConcurrentRenewals = mkOption { type = types.int; default = 5; description = "Recorded only."; };
    useRoot = mkOption { type = types.bool; default = false; description = "Recorded only."; };
    defaults = mkOption { type = types.submodule { options = common; }; default = { }; description = "Settings of all certificates."; };
    certs = mkOption { type = types.attrsOf (types.submodule certificate); default = { }; description = "Certificates by name."; };
  };

  config = lib.mkIf (cfg.certs != { }) {
    assertions = [
      {
        assertion = cfg.acceptTerms;
        message = "You must accept the CA's terms of service before using the ACME module by setting `security.acme.acceptTerms` to `true`.";
      }
    ]
    ++ lib.mapAttrsToList (name: cert: {
      assertion = cert.email != null;
      message = "You must define `security.acme.certs.${name}.email` or `security.acme.defaults.email` to register with the CA.";
    }) cfg.certs;

    users.users.acme = { isSystemUser = true; group = "acme"; home = "/var/lib/acme"; };
    users.groups.acme = { };
    systemd.services = lib.mapAttrs' (
      name: cert:
      lib.nameValuePair "acme-selfsigned-${name}" {
        description = "Generate self-signed certificate for ${name}";
        wantedBy = [ "multi-user.target" ];
        before = [ "nginx.service" ];
        path = [ pkgs.openssl ];
        unitConfig.ConditionPathExists = "!${cert.directory}/fullchain.pem";
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
        };
        script = ''
          mkdir -p ${lib.escapeShellArg cert.directory}
          cd ${lib.escapeShellArg cert.directory}
          openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout key.pem -out fullchain.pem \
            -subj ${lib.escapeShellArg "/CN=${cert.domain}"}
          cp fullchain.pem chain.pem
          chgrp -R ${lib.escapeShellArg cert.group} .
          chmod 0750 . && chmod 0640 *.pem
        '';
      }
    ) cfg.certs;
  };
}
