/**
 * Vacuums the tables after pruning, because PGlite has no autovacuum: without it the space of deleted rows is never
 * used again.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { Run } from "../sql/run.ts";
import { quotedSchema } from "../sql/schema_name.ts";

/** How many deleted records are worth a vacuum. */
const WORTH_IT = 1_000;

/** Counts deleted records, and vacuums when there are enough of them. */
export function vacuumAfterPruning(
  run: Run,
  schema: string,
): (box: Box, deleted: number) => Promise<void> {
  const dead: Record<Box, number> = { outbox: 0, inbox: 0 };
  return async (box, deleted) => {
    dead[box] += deleted;
    if (dead[box] < WORTH_IT) return;
    dead[box] = 0;
    const tables = box === "inbox" ? ["inbox", "inbox_memory"] : ["outbox"];
    // One statement each: vacuum cannot run in a transaction.
    for (const table of tables) await run(`vacuum ${quotedSchema(schema)}.${table}`, []);
  };
}
