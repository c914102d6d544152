/**
 * A process that opens a PGlite folder and adds records until it is killed, saying what was acknowledged:
 * `pglite_child.ts <folder>`.
 *
 * @module
 */
import process from "node:process";
import { openPglite, pgliteStore } from "../../adapters/pglite/mod.ts";
import { AtlastError } from "../../core/errors.ts";
import { NOW, recordOf } from "../../devtools/conformance/store/subject.ts";

try {
  const db = await openPglite(process.argv[2] as string);
  const store = pgliteStore(db);
  console.log("open");
  for (let i = 0;; i++) {
    await store.add("outbox", [recordOf(`a-${i}`)], NOW);
    console.log(`${i}`);
  }
} catch (error) {
  console.log(error instanceof AtlastError ? error.code : String(error));
  process.exit(1);
}
