/**
 * Reads records by their keys, without bodies, for `verify`.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { InspectionHints, RecordOutline } from "../../core/ports/inspection.ts";
import { textLiteral } from "./array_param.ts";
import { hasDigests, recall } from "./inbox_memory.ts";
import { memoryTables } from "./memory_tables.ts";
import { READ_OUTLINE, recordOf } from "./row.ts";
import type { Run } from "./run.ts";
import { tableOf } from "./table.ts";
import { isStorableKey } from "./text.ts";

/** The hints of a store whose tables are ready when `readyRun` resolves. */
export function inspectionHints(
  readyRun: () => Promise<Run>,
  schema: () => string,
): Required<InspectionHints> {
  const read = async (
    box: Box,
    condition: string,
    params: readonly (string | number)[],
  ): Promise<RecordOutline[]> => {
    const run = await readyRun();
    const { name } = tableOf(schema(), box);
    const rows = await run(`select ${READ_OUTLINE} from ${name} as t\n${condition}`, params);
    return rows.map((row) => recordOf(box, row));
  };
  return {
    // The primary key has this order.
    outlines: (box, after, limit) =>
      after === null
        ? read(box, "order by t.id, t.subscriber_group limit $1::text::bigint", [limit])
        : read(
          box,
          `where (t.id, t.subscriber_group) > ($1::text, $2::text)
order by t.id, t.subscriber_group limit $3::text::bigint`,
          [after.id, after.group, limit],
        ),
    async outlinesOf(box, ids) {
      const wanted = ids.filter((id) => isStorableKey({ id, group: "" }));
      if (wanted.length === 0) return [];
      return await read(box, "where t.id = any((select $1::text)::text[])", [textLiteral(wanted)]);
    },
    async recall(keys) {
      const run = await readyRun();
      const tables = memoryTables(schema());
      const { memories, prunedUntilMs } = await recall(run, tables, keys);
      return {
        remembered: keys.map((key) => memories.get(key) ?? null),
        prunedUntilMs: prunedUntilMs === -Infinity ? null : prunedUntilMs,
        hasDigests: await hasDigests(run, tables),
      };
    },
  };
}
