# Options of a virtual host and of its locations.
{ lib }:
let
  inherit (lib) mkOption types;
  bool = default: description: mkOption { type = types.bool; inherit default description; };
  optional = type: description: mkOption { type = types.nullOr type; default = null; inherit description; };
  lines = description: mkOption { type = types.lines; default = ""; inherit description; };
  auth = {
    basicAuth = mkOption { type = types.attrsOf types.str; default = { }; description = "Passwords by name; they are readable in the store."; };
    basicAuthFile = optional types.path "File of passwords.";
  };

  location = {
    options = auth // {
      proxyPass = optional types.str "Where requests are passed on.";
      proxyWebsockets = bool false "Whether websockets are passed on.";
      recommendedProxySettings = mkOption { type = types.nullOr types.bool; default = null; description = "Whether the recommended proxy settings are used; null: as for the whole server."; };
      uwsgiPass = optional types.str "Where requests are passed on by uwsgi.";
      index = optional types.str "Index file.";
      tryFiles = optional types.str "Files to try.";
      root = optional types.path "Folder of the files.";
      alias = optional types.path "Folder of the files, without the location's path.";
      return = optional (types.oneOf [ types.str types.int ]) "Answer.";
      fastcgiParams = mkOption { type = types.attrsOf (types.either types.str types.path); default = { }; description = "Parameters for fastcgi."; };
      extraConfig = lines "Lines of the location.";
      priority = mkOption { type = types.int; default = 1000; description = "Order of the locations."; };
    };
  };

  listen = {
    options = {
      addr = mkOption { type = types.str; description = "Address."; };
      port = optional types.port "Port; null: by the kind of server.";
      ssl = bool false "Whether it is TLS.";
      proxyProtocol = bool false "Whether clients speak the PROXY protocol.";
      extraParameters = mkOption { type = types.listOf types.str; default = [ ]; description = "More parameters."; };
    };
  };
in
{
  options = auth // {
    serverName = optional types.str "Name; null: the attribute's.";
    serverAliases = mkOption { type = types.listOf types.str; default = [ ]; description = "More names."; };
    listen = mkOption { type = types.listOf (types.submodule listen); default = [ ]; description = "Where it listens, exactly."; };
    listenAddresses = mkOption { type = types.listOf types.str; default = [ ]; description = "Addresses it listens on; ports follow from TLS."; };
    enableACME = bool false "Whether a certificate is asked for.";
    useACMEHost = optional types.str "Another host whose certificate is used.";
    acmeRoot = mkOption { type = types.nullOr types.str; default = "/var/lib/acme/acme-challenge"; description = "Folder of the challenges."; };
    acmeFallbackHost = optional types.str "Where unknown challenges are passed on.";
    addSSL = bool false "Whether TLS is offered beside plain HTTP.";
    onlySSL = bool false "Whether only TLS is offered.";
    forceSSL = bool false "Whether plain HTTP is redirected.";
    rejectSSL = bool false "Whether TLS is refused.";
    kTLS = bool false "Whether the kernel encrypts.";
    sslCertificate = mkOption { type = types.path; description = "Certificate."; };
    sslCertificateKey = mkOption { type = types.path; description = "Its key."; };
    sslTrustedCertificate = optional types.path "CA of clients.";
    http2 = bool true "Whether HTTP/2 is offered.";
    http3 = bool true "Recorded only.";
    http3_hq = bool false "Recorded only.";
    quic = bool false "Recorded only.";
    reuseport = bool false "Whether each worker has its own socket.";
    root = optional types.path "Folder of the files.";
    default = bool false "Whether it answers for unknown names.";
    extraConfig = lines "Lines of the server.";
    globalRedirect = optional types.str "Host that everything is redirected to.";
    redirectCode = mkOption { type = types.ints.between 300 399; default = 301; description = "Status of redirects."; };
    locations = mkOption { type = types.attrsOf (types.submodule location); default = { }; description = "Locations by path."; };
  };
}
