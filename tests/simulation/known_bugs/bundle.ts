/**
 * Bundles the simulation with a bug in it. Only `find_bug.ts` calls it, in a process of its own: esbuild leaves some
 * of itself behind, which a test would count as leaked.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { build, type Plugin, stop } from "esbuild";
import { ROOT } from "../../support/repository.ts";
import { type Edit, edited } from "./known_bug.ts";

const ENTRY = `${ROOT}tests/simulation/run_seed.ts`;

/**
 * The simulation as one module, with these edits.
 *
 * @throws {Error} If an edit does not apply, or is of a file that the simulation does not load.
 */
export async function bundleWith(edits: readonly Edit[]): Promise<string> {
  const left = new Set(edits);
  try {
    const { outputFiles } = await build({
      entryPoints: [ENTRY],
      bundle: true,
      packages: "external",
      format: "esm",
      platform: "node",
      target: "es2022",
      write: false,
      logLevel: "silent",
      plugins: edits.length === 0 ? [] : [editing(edits, left)],
    });
    const [unused] = left;
    if (unused !== undefined) {
      throw new Error(`Cannot put a bug into ${unused.file}: the simulation does not load it`);
    }
    const [output] = outputFiles;
    if (output === undefined) throw new Error("esbuild gave no output");
    return output.text;
  } finally {
    await stop();
  }
}

/** Applies edits when their files are loaded, and takes those that it has applied out of `left`. */
function editing(edits: readonly Edit[], left: Set<Edit>): Plugin {
  const files = edits.map(({ file }) => `/${file.replaceAll(".", "\\.")}$`);
  return {
    name: "known bug",
    setup: ({ onLoad }) =>
      onLoad({ filter: new RegExp(files.join("|")) }, ({ path }) => {
        let contents = readFileSync(path, "utf8");
        for (const edit of edits) {
          if (path !== ROOT + edit.file) continue;
          contents = edited(contents, edit);
          left.delete(edit);
        }
        return { contents, loader: "ts" };
      }),
  };
}
