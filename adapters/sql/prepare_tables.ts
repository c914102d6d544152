/**
 * Checks the client, then creates or checks the tables.
 *
 * @module
 */
import type { SqlDriver } from "./driver.ts";
import { databaseOf } from "./driver_database.ts";
import { isDefault } from "./isolation.ts";
import { checkMigrated, type Ladder, migrateOn } from "./migrate.ts";

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
  driver: SqlDriver,
  { schema, migrate, timeoutMs }: TableSettings,
  ladder: Ladder,
): Promise<void> {
  await driver.check?.(timeoutMs);
  await isDefault(driver, timeoutMs);
  // Each of these statements runs once, so that preparing them gains nothing.
  if (!migrate) {
    const { run } = databaseOf(driver, { timeoutMs, prepare: false });
    return await checkMigrated(run, schema, ladder);
  }
  const migration = databaseOf(driver, {
    timeoutMs: Math.max(timeoutMs, MIGRATION_TIMEOUT_MS),
    prepare: false,
  });
  await migration.transaction(
    (tx) => migrateOn(migration.runIn(tx as never), schema, ladder),
    true,
  );
}
