/**
 * Checks the client, then creates or checks the tables.
 *
 * @module
 */
import { clientOf } from "./guarded_clients.ts";
import { checkMigrated, type Ladder, migrateOn, STORE } from "../sql/migrate.ts";
import { mustKeepStatements } from "./pooler.ts";
import { databaseOf } from "./postgres_js.ts";
import { isDefault } from "./isolation.ts";
import type { PostgresJs } from "./client.ts";

/** How long a statement of a migration may take, in milliseconds; it may rewrite a table. */
const MIGRATION_TIMEOUT_MS = 600_000;

/** Which tables to prepare, and how. */
interface TableSettings {
  readonly schema: string;
  /** Whether they are created and updated, or only checked. */
  readonly migrate: boolean;
  /** How long a statement that changes no table may take, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Checks the client, and creates, updates or checks the tables.
 *
 * @throws {AtlastError} `prepared_statement_lost`, `not_migrated` or `schema_too_new`.
 */
export async function prepareTables(
  client: PostgresJs,
  { schema, migrate, timeoutMs }: TableSettings,
  ladder: Ladder = STORE,
): Promise<void> {
  await mustKeepStatements(clientOf(client), timeoutMs);
  await isDefault(clientOf(client), timeoutMs);
  // Each of these statements runs once, so that preparing them gains nothing.
  if (!migrate) {
    const { run } = databaseOf(client, { timeoutMs, prepare: false });
    return await checkMigrated(run, schema, ladder);
  }
  const migration = databaseOf(client, {
    timeoutMs: Math.max(timeoutMs, MIGRATION_TIMEOUT_MS),
    prepare: false,
  });
  await migration.transaction((tx) => migrateOn(migration.runIn(tx), schema, ladder), true);
}
