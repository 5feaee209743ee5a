/** The operator's calls as promises, and bundles from plain texts. */

import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import type { Manifest } from '../../proto/gen/nixinfra/v1/bundle.js';
import {
  type GetStatusResponse,
  type NodeState,
  OperatorServiceClient,
} from '../../proto/gen/nixinfra/v1/operator.js';
import { revisionOf, sha256 } from '../../shared/bundle/manifest.js';
import type { CertificateFiles } from './certificates.js';

export interface Bundle {
  manifest: Manifest;
  blobs: { sha256: string; gzip: Buffer }[];
}

export function bundleOf(node: string, texts: Record<string, string>): Bundle {
  const files = Object.entries(texts).map(([path, text]) => ({
    path,
    mode: 0o644,
    sha256: sha256(text),
    size: text.length,
  }));
  const blobs = Object.values(texts).map((text) => ({ sha256: sha256(text), gzip: gzipSync(text) }));
  return { manifest: { node, files, revision: revisionOf(node, files) }, blobs };
}

type Reply<T> = (error: ServiceError | null, value: T) => void;

export function asPromise<T>(call: (reply: Reply<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error ? reject(error) : resolve(value)));
  });
}

export interface Operator {
  client: OperatorServiceClient;
  status(): Promise<GetStatusResponse>;
  node(name: string): Promise<NodeState | undefined>;
  putBlobs(blobs: Bundle['blobs']): Promise<number>;
  setDesired(manifest: Manifest): Promise<void>;
  deploy(bundle: Bundle): Promise<void>;
  close(): void;
}

export function operatorAt(port: number, files: CertificateFiles): Operator {
  const secure = credentials.createSsl(
    readFileSync(files.ca),
    readFileSync(files.key),
    readFileSync(files.cert),
  );
  const client = new OperatorServiceClient(`localhost:${port}`, secure);
  const status = () => asPromise<GetStatusResponse>((reply) => client.getStatus({}, reply));
  const setDesired = async (manifest: Manifest) => {
    await asPromise((reply) => client.setDesired({ node: manifest.node, manifest }, reply));
  };
  const putBlobs = async (blobs: Bundle['blobs']) => {
    const { stored } = await asPromise<{ stored: number }>((reply) => {
      const call = client.putBlobs(reply);
      for (const blob of blobs) call.write(blob);
      call.end();
    });
    return stored;
  };
  return {
    client,
    status,
    node: async (name) => (await status()).nodes.find((node) => node.name === name),
    putBlobs,
    setDesired,
    deploy: async ({ manifest, blobs }) => {
      await putBlobs(blobs);
      await setDesired(manifest);
    },
    close: () => client.close(),
  };
}
