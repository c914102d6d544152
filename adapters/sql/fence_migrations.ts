/**
 * The fence's table, as a list of steps; the rules of {@link ./store_migrations.ts} hold.
 *
 * The fence lives in the business database, which may have nothing else of Atlast, so its steps are
 * counted apart.
 *
 * @module
 */
import type { Migration } from "./store_migrations.ts";
import { quotedSchema } from "./schema_name.ts";

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
)`,
      `create index fence_written on ${quotedSchema(schema)}.fence (written_at_ms, message_id)`,
    ],
  },
];
