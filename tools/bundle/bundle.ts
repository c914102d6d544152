/**
 * Bundles as a worker is deployed, and how large they are.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A bundle. */
export interface Bundle {
  /** The bundle itself. */
  readonly text: string;
  /** Its size after minifying, in bytes. */
  readonly bytes: number;
  /** Its size on the way to a platform, minified and gzipped (level 9), in bytes. */
  readonly gzipBytes: number;
  /** Every file that something of is in it, with how many bytes of it. */
  readonly files: ReadonlyMap<string, number>;
}

/**
 * Bundles a program for a worker.
 *
 * @param source The program in TypeScript; relative imports start at the root of the repository.
 * @param packages The folder in which npm packages are, such as `node_modules`.
 */
export function bundled(source: string, packages: string): Bundle {
  // In one go, so that no process of esbuild's stays behind.
  const { outputFiles, metafile } = buildSync({
    stdin: { contents: source, resolveDir: ROOT, sourcefile: "program.ts", loader: "ts" },
    absWorkingDir: ROOT,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    platform: "browser",
    conditions: ["workerd", "worker", "browser"],
    // The platform's own modules.
    external: ["node:*", "cloudflare:*"],
    nodePaths: [packages],
    metafile: true,
    write: false,
    logLevel: "error",
  });
  const [output] = outputFiles;
  const [about] = Object.values(metafile.outputs);
  if (output === undefined || about === undefined) throw new Error("esbuild gave no output");
  const files = Object.entries(about.inputs)
    .map(([path, { bytesInOutput }]): [string, number] => [path, bytesInOutput])
    .filter(([, bytes]) => bytes > 0);
  return {
    text: output.text,
    bytes: output.contents.length,
    gzipBytes: gzipSync(output.contents, { level: 9 }).length,
    files: new Map(files),
  };
}
