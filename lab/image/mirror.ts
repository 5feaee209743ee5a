/** Which Debian mirror the base image comes from: the one this host's apt uses. */
import { Problem } from '../../shared/errors.js';
import { run } from '../run.js';

const format = '$(REPO_URI) $(RELEASE) $(ORIGIN)';

/**
 * URL of the mirror. `NIX_INFRA_DEBIAN_MIRROR` wins, for hosts of another distribution.
 * Throws `lab.unsupported` when neither names one.
 */
export async function debianMirror(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  if (env.NIX_INFRA_DEBIAN_MIRROR) return env.NIX_INFRA_DEBIAN_MIRROR;
  const { stdout } = await run(['apt-get', 'indextargets', '--format', format, 'Identifier: Packages']);
  const mirror = pickMirror(stdout);
  if (mirror) return mirror;
  throw new Problem('lab.unsupported', "This host's apt knows no Debian mirror", {
    next: 'set NIX_INFRA_DEBIAN_MIRROR to the URL of one',
  });
}

/**
 * The mirror of a whole Debian archive among apt's index targets. Security and third-party archives have no
 * installer suites; before the first `apt-get update` apt does not know the origin, then the path has to tell.
 */
export function pickMirror(targets: string): string | undefined {
  const rows = targets
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [uri = '', release = '', origin = ''] = line.split(' ');
      return { uri, release, origin };
    });
  const main = rows.filter(({ release }) => !/-security$/.test(release));
  const known =
    main.find(({ origin }) => origin === 'Debian') ?? main.find(({ uri }) => /\/debian\/?$/.test(uri));
  return known?.uri.replace(/\/$/, '');
}
