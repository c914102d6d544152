/**
 * Bundles programs as for a worker, and measures their size. `deno task bundle-size` and the bundle tests
 * call it.
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
  /** Its size minified and gzipped (level 9), in bytes. */
  readonly gzipBytes: number;
  /** The files that are part of it, with their bytes in it. */
  readonly files: ReadonlyMap<string, number>;
}

/**
 * Bundles a program for a worker.
 *
 * @param source The program in TypeScript; relative imports start at the root of the repository.
 * @param packages The folder in which npm packages are, such as `node_modules`.
 */
export function bundled(source: string, packages: string): Bundle {
  // In one call, so that no process of esbuild remains.
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
