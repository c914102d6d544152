/**
 * Reads the id of the service that owns the tables.
 *
 * @module
 */
import type { Run } from "./run.ts";
import { serviceTable } from "./table.ts";

/** Reads the id that the migration drew. */
export async function readServiceId(run: Run, schema: string): Promise<string> {
  const name = serviceTable(schema);
  const read = async () => (await run(`select id from ${name}`, []))[0]?.[0];
  const id = await read();
  if (typeof id === "string") return id;
  // The table was emptied by hand. If several processes find it empty, one row is added.
  await run(
    `insert into ${name} (id) values (gen_random_uuid()::text) on conflict (only_one) do nothing`,
    [],
  );
  return String(await read());
}
