/**
 * Migrates the schema to this version, or checks its version.
 *
 * @module
 */
import { aNumber, checkOptions, type OptionCheck, withMethods } from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import { FENCE_MIGRATIONS } from "./fence_migrations.ts";
import { type Migration, MIGRATIONS } from "./store_migrations.ts";
import { runOnClient } from "./database.ts";
import type { Run } from "./run.ts";
import { DEFAULT_SCHEMA, quotedSchema } from "./schema_name.ts";

/** Options of {@linkcode migrate}. */
export interface MigrationOptions {
  /**
   * The schema that holds the tables.
   *
   * @default "atlast"
   */
  readonly schema?: string;
}

/** Options of {@linkcode migrationSql} and {@linkcode fenceMigrationSql}. */
export interface MigrationSqlOptions extends MigrationOptions {
  /**
   * The version the schema has, as its table of migrations says; 0 for none.
   *
   * @default 0
   */
  readonly from?: number;
}

/**
 * Creates or updates the tables. Call it within a transaction; several at once wait for each other. It does
 * not repeat applied steps, and accepts steps of a newer version beside which this one can run.
 *
 * @throws {AtlastError} `schema_too_new` when a newer version changed the tables beyond this one's
 * knowledge; `invalid_option` for a bad schema name.
 */
export async function migrate(client: SqlClient, options: MigrationOptions = {}): Promise<void> {
  checkOptions("migrate with", options, MIGRATION_OPTIONS);
  withMethods("query")("a client", client, "migrate with");
  await migrateOn(runOnClient(client), options.schema ?? DEFAULT_SCHEMA);
}

/**
 * The statements of the migration, to print, review and run by other means, within one transaction: all
 * steps, or those after version `from`.
 *
 * @throws {AtlastError} `invalid_option` for a bad schema name.
 */
export function migrationSql(options: MigrationSqlOptions = {}): string {
  return printed(options, STORE);
}

/**
 * The statements that make the table of a fence in a business database, to print, review and run by
 * other means, within one transaction.
 *
 * @throws {AtlastError} `invalid_option` for a bad schema name.
 */
export function fenceMigrationSql(options: MigrationSqlOptions = {}): string {
  return printed(options, FENCE);
}

function printed(options: MigrationSqlOptions, ladder: Ladder): string {
  checkOptions("print a migration with", options, MIGRATION_SQL_OPTIONS);
  const { schema = DEFAULT_SCHEMA, from = 0 } = options;
  const steps = ladder.steps
    .filter(({ version }) => version > from)
    .flatMap((step) => stepStatements(schema, step, ladder));
  return [...from === 0 ? bootstrap(schema, ladder) : [], ...steps]
    .map((statement) => `${statement};\n`)
    .join("\n");
}

const MIGRATION_OPTIONS: Readonly<Record<keyof MigrationOptions, OptionCheck>> = {
  schema: (_option, value) => void quotedSchema(value as string),
};

const MIGRATION_SQL_OPTIONS: Readonly<Record<keyof MigrationSqlOptions, OptionCheck>> = {
  ...MIGRATION_OPTIONS,
  from: aNumber({ whole: true, least: 0 }),
};

/** A list of steps, and the table of those that were applied. */
export interface Ladder {
  /** The table of applied steps. */
  readonly table: "migrations" | "fence_migrations";
  /** Every step, in order. */
  readonly steps: readonly Migration[];
  /** The name of the function that prints them, for errors. */
  readonly printedBy: "migrationSql" | "fenceMigrationSql";
}

/** The steps of a store. */
export const STORE: Ladder = { table: "migrations", steps: MIGRATIONS, printedBy: "migrationSql" };

/** The steps of a fence. */
export const FENCE: Ladder = {
  table: "fence_migrations",
  steps: FENCE_MIGRATIONS,
  printedBy: "fenceMigrationSql",
};

/** The steps themselves, for a transaction that is open already. */
export async function migrateOn(run: Run, schema: string, ladder: Ladder = STORE): Promise<void> {
  const name = quotedSchema(schema);
  await checkEncoding(run);
  // Each statement must see what another process has migrated while this one waited. SHOW takes no snapshot.
  const [level] = await run("show transaction_isolation", []);
  if (level?.[0] !== "read committed") {
    await run("set transaction isolation level read committed", []);
  }
  // If two start at once, the second waits here, and then finds the steps applied.
  await run("select pg_advisory_xact_lock(hashtextextended($1::text, 0))", [`atlast:${schema}`]);
  const [row] = await run("select to_regclass($1::text)::text", [`${name}.${ladder.table}`]);
  if (row?.[0] === null) {
    for (const statement of await bootstrapFor(run, schema, ladder)) await run(statement, []);
  }
  const version = await checkedVersion(run, schema, ladder);
  for (const step of ladder.steps.filter((step) => step.version > version)) {
    for (const statement of stepStatements(schema, step, ladder)) await run(statement, []);
  }
}

/**
 * Checks that the tables are as this version needs them.
 *
 * @throws {AtlastError} `not_migrated`, `schema_too_new`, or `unsupported` for a database that is not UTF-8.
 */
export async function checkMigrated(
  run: Run,
  schema: string,
  ladder: Ladder = STORE,
): Promise<void> {
  await checkEncoding(run);
  const [row] = await run("select to_regclass($1::text)::text", [
    `${quotedSchema(schema)}.${ladder.table}`,
  ]);
  const version = row?.[0] === null ? 0 : await checkedVersion(run, schema, ladder);
  if (version >= latest(ladder)) return;
  throw new AtlastError(
    "not_migrated",
    `Cannot use schema "${schema}": got version ${version}, want ${latest(ladder)}; allow it ` +
      `to migrate, or run what ${ladder.printedBy}({ schema: "${schema}" }) prints`,
  );
}

/** Other encodings cannot hold every message: one text that does not fit would fail its whole batch. */
async function checkEncoding(run: Run): Promise<void> {
  // SHOW takes no snapshot, so that the isolation level can still be set.
  const [row] = await run("show server_encoding", []);
  const encoding = String(row?.[0]);
  if (encoding.toUpperCase().replace("-", "") === "UTF8") return;
  throw new AtlastError(
    "unsupported",
    `Cannot use a database with the encoding ${encoding}: want UTF8, as messages are Unicode text`,
  );
}

/** The newest applied step, if this version can run on it. */
async function checkedVersion(run: Run, schema: string, ladder: Ladder): Promise<number> {
  const rows = await run(
    `select version, breaking::text from ${quotedSchema(schema)}.${ladder.table} order by version`,
    [],
  );
  const taken = rows.map(([version, breaking]) => ({
    version: Number(version),
    breaking: breaking === "true",
  }));
  const version = taken.at(-1)?.version ?? 0;
  if (taken.some((step) => step.breaking && step.version > latest(ladder))) {
    throw new AtlastError(
      "schema_too_new",
      `Cannot use schema "${schema}": got version ${version}, want ${latest(ladder)} at most; ` +
        `it was migrated by a newer Atlast`,
    );
  }
  return version;
}

function latest({ steps }: Ladder): number {
  return steps.at(-1)?.version ?? 0;
}

function bootstrap(schema: string, ladder: Ladder): string[] {
  return [
    // Not IF NOT EXISTS, which wants the right to create schemas although there is one.
    `do $atlast$ begin
  if to_regnamespace('${schema}') is null then create schema ${quotedSchema(schema)}; end if;
end $atlast$`,
    takenTable(schema, ladder),
  ];
}

/** `create schema` requires a right that a user with an existing schema may not have. */
async function bootstrapFor(run: Run, schema: string, ladder: Ladder): Promise<string[]> {
  const [found] = await run("select 1 as found from pg_namespace where nspname = $1::text", [
    schema,
  ]);
  return found === undefined ? bootstrap(schema, ladder) : [takenTable(schema, ladder)];
}

function takenTable(schema: string, { table }: Ladder): string {
  return `create table if not exists ${quotedSchema(schema)}.${table} (
  version integer primary key,
  breaking boolean not null,
  applied_at timestamptz not null default now()
)`;
}

function stepStatements(schema: string, step: Migration, { table }: Ladder): string[] {
  return [
    ...step.statements(schema),
    `insert into ${
      quotedSchema(schema)
    }.${table} (version, breaking) values (${step.version}, ${step.breaking})`,
  ];
}
