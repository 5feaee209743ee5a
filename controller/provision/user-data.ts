/** What a new server gets from us before it first starts: its SSH host key, so that the first contact is verified. */
import { stringify } from 'yaml';

/** cloud-init user data that installs exactly this ed25519 host key and leaves no other. */
export function cloudInitUserData(hostKey: { privateKey: string; publicKey: string }): string {
  const config = {
    ssh_deletekeys: true,
    ssh_keys: {
      ed25519_private: `${hostKey.privateKey.trimEnd()}\n`,
      ed25519_public: hostKey.publicKey.trim(),
    },
    ssh_pwauth: false,
  };
  // Never folded: a key that is broken over lines is no key.
  return `#cloud-config\n${stringify(config, { lineWidth: 0 })}`;
}
