/** Version of the wire contract. Raised when an old agent could misunderstand a new controller; equal versions only. */
export const PROTOCOL_VERSION = 2;

/** TCP port of the controller's gRPC listener on control nodes; opened in their firewall, mutual TLS only. */
export const CONTROLLER_PORT = 7443;
