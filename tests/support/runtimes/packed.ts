/**
 * The library's own tests on Node and Bun, against the package as it is installed there: each test file
 * is bundled, but what it imports of the library comes from the package that `deno task npm` makes.
 *
 * @module
 */
import { build, type Plugin, stop } from "esbuild";
import { basename, join, relative } from "node:path";
import process from "node:process";
import { ROOT } from "../repository.ts";
import type { Command } from "./program.ts";
import { bunPath, workplace } from "./workplace.ts";

/** Where they run. */
export type TestRuntime = "node" | "bun";

/** Whether a text names one of them. */
export function isTestRuntime(text: string): text is TestRuntime {
  return text === "node" || text === "bun";
}

/** The suites that need nothing and take a second or two. */
export const QUICK_SUITES: readonly string[] = ["memory", "in_process", "http", "pulled"]
  .map((name) => `tests/conformance/${name}_test.ts`);

/** The same, and those on a server. */
export const SUITES: readonly string[] = [
  ...QUICK_SUITES,
  "tests/conformance/postgres_test.ts",
];

/** The package's files, as the tests import them. */
const SHIPPED = /^(mod\.ts|(core|bus|adapters|edge|client|devtools)\/.*\.ts)$/;

/** Bundles test files, given as paths in the repository, and gives back where the bundles are. */
export async function bundled(files: readonly string[]): Promise<string[]> {
  const shop = join(await workplace(), "shop");
  const outdir = join(shop, "tests");
  const names = files.map((file) => file.replaceAll("/", "-").replace(/\.ts$/, ""));
  await build({
    entryPoints: files.map((file, i) => ({ in: join(ROOT, file), out: names[i]! })),
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["node:*"],
    // Found where the package's own dependencies are.
    nodePaths: [join(shop, "node_modules")],
    plugins: [fromPackage(join(shop, "node_modules/@atlast/bus"))],
    logLevel: "error",
  });
  await stop();
  return names.map((name) => join(outdir, `${name}.mjs`));
}

/** What runs bundles as tests. */
export async function testCommand(
  runtime: TestRuntime,
  bundles: readonly string[],
): Promise<Command> {
  const cwd = join(await workplace(), "shop/tests");
  const env = { ...process.env, NO_COLOR: "1" } as Record<string, string>;
  return runtime === "node"
    ? { command: "node", args: ["--test", "--test-reporter=tap", ...bundles], cwd, env }
    : {
      command: await bunPath(),
      args: ["test", "--timeout=120000", ...bundles.map((path) => `./${basename(path)}`)],
      cwd,
      env,
    };
}

function fromPackage(home: string): Plugin {
  return {
    name: "from-package",
    setup({ onResolve }) {
      onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
        const file = relative(ROOT, join(resolveDir, path));
        if (!SHIPPED.test(file)) return null;
        return { path: join(home, file.replace(/\.ts$/, ".js")), external: true };
      });
      onResolve({ filter: /^@atlast\/bus/ }, ({ path }) => ({ path, external: true }));
    },
  };
}
