/**
 * The migrations of the fence's table. The rules of {@link ./store_migrations.ts} apply.
 *
 * The fence is in the business database, which may have no other table of Atlast, so its versions are counted
 * separately.
 *
 * @module
 */
import type { Migration } from "./store_migrations.ts";
import { quotedSchema } from "./schema_name.ts";
import { VACUUMED_EARLY } from "./vacuumed_early.ts";

/** Every step, in order. */
export const FENCE_MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    breaking: true,
    statements: (schema) => [
      `create table ${quotedSchema(schema)}.fence (
  message_id text collate "C" primary key,
  outcome text not null check (outcome in ('committed', 'aborted')),
  written_at_ms bigint not null
) with (${VACUUMED_EARLY})`,
      `create index fence_written on ${quotedSchema(schema)}.fence (written_at_ms, message_id)`,
    ],
  },
];
