#!/usr/bin/env node
// Bundles with esbuild: dist/cli.js (+ lazy chunks, so that --help stays fast), dist/agent.cjs, dist/controller.cjs and
// dist/mesh.cjs (one file each: nodes have Node.js and nothing else, docs/decisions/0004).
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import protobuf from 'protobufjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

// etcd3 reads its .proto files from disk at start, which a single-file bundle cannot; give it the parsed form instead.
const etcd3Proto = {
  name: 'etcd3-proto',
  setup(plugin) {
    plugin.onLoad({ filter: /etcd3[\\/]lib[\\/].*\.js$/ }, (args) => {
      const source = readFileSync(args.path, 'utf8');
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of etcd3's source
      const call = 'loadSync)(`${__dirname}/../proto/rpc.proto`';
      if (!source.includes(call)) {
        if (source.includes('rpc.proto'))
          throw new Error(`${args.path} loads rpc.proto in a way this plugin does not know`);
        return undefined;
      }
      const json = new protobuf.Root()
        .loadSync(join(root, 'node_modules/etcd3/proto/rpc.proto'), { keepCase: true })
        .toJSON();
      return { contents: source.replace(call, () => `fromJSON)(${JSON.stringify(json)}`), loader: 'js' };
    });
  },
};

// ssh2's native speed-ups are not built (package.json allowScripts); it falls back to JavaScript when they throw.
const noNative = {
  name: 'no-native',
  setup(plugin) {
    plugin.onResolve({ filter: /(\.node$|^cpu-features$)/ }, (args) => ({
      path: args.path,
      namespace: 'no-native',
    }));
    plugin.onLoad({ filter: /.*/, namespace: 'no-native' }, () => ({
      contents: 'throw new Error("native add-on left out");',
    }));
  },
};

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  sourcemap: false,
  define: {
    __VERSION__: JSON.stringify(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version),
  },
  logLevel: 'warning',
  plugins: [etcd3Proto, noNative],
};

rmSync(join(root, 'dist'), { recursive: true, force: true });
const single = {
  agent: 'agent/main.ts',
  controller: 'controller/server/main.ts',
  mesh: 'agent/mesh/reload-main.ts',
};
const split = {
  cli: 'controller/cli/main.ts',
  demo: 'lab/demo/main.ts',
  'lab-api': 'lab/api/main.ts',
  'bench-rollout': 'bench/rollout/main.ts',
  'bench-mesh': 'bench/mesh/main.ts',
};
const present = (table) =>
  Object.fromEntries(Object.entries(table).filter(([, file]) => existsSync(join(root, file))));

await Promise.all([
  ...Object.entries(present(single)).map(([name, file]) =>
    build({ ...common, minify: true, format: 'cjs', entryPoints: [file], outfile: `dist/${name}.cjs` }),
  ),
  build({
    ...common,
    format: 'esm',
    splitting: true,
    // A development tool that the bench of the mesh uses; it cannot be bundled.
    external: ['esbuild'],
    // A lazily imported CommonJS package would have no named exports; where a package also ships ESM, take that.
    mainFields: ['module', 'main'],
    entryPoints: present(split),
    outdir: 'dist',
    banner: {
      js: "import{createRequire as __cr}from'node:module';import{fileURLToPath as __fu}from'node:url';import{dirname as __dn}from'node:path';const require=__cr(import.meta.url),__filename=__fu(import.meta.url),__dirname=__dn(__filename);",
    },
  }),
]);
