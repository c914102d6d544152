/**
 * Writes the table of bundle sizes in `docs/stateless.md` from `tools/bundle/sizes.json`. `deno task docs` and
 * `deno task bundle-size` call it.
 *
 * @module
 */
import type { BundleSize } from "./bundle/sizes.ts";
import { type GeneratedPage, readSource, tableOf, withPart } from "./docs/markdown.ts";

/** The page of stateless subscribers. Its table of sizes is generated. */
export const statelessPage: GeneratedPage = {
  path: "docs/stateless.md",
  text: (current) => {
    const sizes = JSON.parse(readSource("tools/bundle/sizes.json")) as BundleSize[];
    const rows = sizes.map(({ name, gzipBytes }) => [name.trim(), gzipBytes.toLocaleString("en")]);
    return withPart(current, "bundle-sizes", tableOf(["bundle", "bytes"], rows));
  },
};
