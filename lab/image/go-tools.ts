/** confd and flannel, built from their sources: Debian packages neither. */
import { constants } from 'node:fs';
import { access, copyFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { Problem } from '../../shared/errors.js';
import { labDefaults } from '../defaults.js';
import { repoRoot } from '../repo-root.js';
import { lastLines, run } from '../run.js';
import { ensureCached, keyOf, type Report } from './cache.js';
import { cacheRoot } from './cache-root.js';

/** One way to build a tool: by exact version with `go install`, or from a folder of ours that pins it and its dependencies. */
type Source = { install: string } | { folder: string; package: string };

interface GoTool {
  /** Ways in order of preference; the first that works is taken. */
  sources: readonly Source[];
  env: Readonly<Record<string, string>>;
  flags: readonly string[];
}

const tools = {
  confd: {
    sources: [
      // The commit that nixpkgs packages. Module proxies do not all serve it (docs/decisions/0003).
      { install: 'github.com/kelseyhightower/confd@919444eb6cf721d198b2bb18581d0f0b3734d107' },
      // The last tag. It has no go.mod, so ours says which versions of its dependencies it is built with.
      { folder: 'tools/confd', package: 'github.com/kelseyhightower/confd' },
    ],
    env: { CGO_ENABLED: '0' },
    flags: [],
  },
  flannel: {
    sources: [{ install: 'github.com/flannel-io/flannel@v0.26.7' }],
    // Its udp backend is C on amd64. Static, so that it does not depend on the C library of host or guest.
    env: { CGO_ENABLED: '1' },
    flags: ['-tags', 'netgo,osusergo', '-ldflags', '-s -w -linkmode external -extldflags "-static"'],
  },
} as const satisfies Record<string, GoTool>;

export type GoToolName = keyof typeof tools;

/**
 * The tools' binaries, each built now if it is not there (flannel 15 to 70 s, confd less). A tool that cannot be built
 * is taken from PATH; throws `lab.unsupported` when it is not there either.
 */
export async function ensureGoTools(report: Report): Promise<Record<GoToolName, string>> {
  return { flannel: await ensureGoTool('flannel', report), confd: await ensureGoTool('confd', report) };
}

/** Path of one tool's binary; see `ensureGoTools`. */
export async function ensureGoTool(name: GoToolName, report: Report): Promise<string> {
  const tool: GoTool = tools[name];
  const dir = await ensureCached({
    kind: name,
    key: keyOf(JSON.stringify(tool), process.arch),
    report,
    make: (temp) => build(name, tool, temp, report),
  });
  return join(dir, name);
}

async function build(name: GoToolName, tool: GoTool, dir: string, report: Report): Promise<void> {
  let said = '';
  for (const source of tool.sources) {
    report(
      `${name}: building ${'install' in source ? source.install : `${source.package} as ${source.folder} pins it`}`,
    );
    const { code, stderr } = await goBuild(source, tool, name, dir);
    if (code === 0) return;
    said = stderr;
    report(`${name}: this does not build here: ${lastLines(stderr, 1).join('')}`);
  }
  const installed = await onPath(name);
  if (installed === undefined) {
    throw new Problem('lab.unsupported', `${name} can neither be built nor found in PATH`, {
      log: lastLines(said, 8),
      next: `install Go and gcc (apt-get install golang-go gcc libc6-dev), or put ${name} into PATH`,
    });
  }
  report(`${name}: taking ${installed}`);
  await copyFile(installed, join(dir, name));
}

async function goBuild(source: Source, tool: GoTool, name: string, dir: string) {
  const settings = { ...tool.env, GOFLAGS: '-buildvcs=false' };
  if ('install' in source) {
    // Outside of any module, whatever folder this is called from.
    return run(['go', 'install', ...tool.flags, source.install], {
      cwd: cacheRoot(),
      env: { ...settings, GOBIN: dir },
      timeoutMs: labDefaults.imageMs,
    });
  }
  return run(['go', 'build', ...tool.flags, '-o', join(dir, name), source.package], {
    cwd: join(repoRoot(), source.folder),
    env: settings,
    timeoutMs: labDefaults.imageMs,
  });
}

async function onPath(name: string): Promise<string | undefined> {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(dir, name);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}
