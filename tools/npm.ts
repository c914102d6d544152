/**
 * `deno task npm`: writes the npm package to `.tmp/npm/package` and its tarball beside it. With
 * `--repository URL` the package names its repository, which a release must do.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { packed, writePackage } from "./npm/write.ts";

if (import.meta.main) {
  const { values } = parseArgs({ options: { repository: { type: "string" } } });
  const place = fileURLToPath(new URL("../.tmp/npm/", import.meta.url));
  const folder = join(place, "package");
  writePackage(folder, values.repository ?? null);
  console.log(packed(folder, place));
}
