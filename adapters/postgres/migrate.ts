/**
 * Bringing a database's schema to this version, or checking that it is there.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { SqlClient } from "../../core/ports.ts";
import { type Migration, MIGRATIONS } from "./migrations.ts";
import { type Run, runOnClient } from "./run.ts";
import { DEFAULT_SCHEMA, quotedSchema } from "./schema_name.ts";

/** Options of {@linkcode migrate} and {@linkcode migrationSql}. */
export interface MigrationOptions {
  /** The schema that holds the tables; `atlast` if not given. */
  readonly schema?: string;
}

/**
 * Creates or updates the tables. Call it within a transaction; several at once wait for each other.
 * Steps that were taken are left alone, and so are those of a newer version beside which this one can
 * run.
 *
 * @throws {AtlastError} `schema_too_new` when a newer version changed the tables beyond this one's
 * knowledge; `invalid_option` for a bad schema name.
 */
export async function migrate(client: SqlClient, options: MigrationOptions = {}): Promise<void> {
  await migrateOn(runOnClient(client), options.schema ?? DEFAULT_SCHEMA);
}

/**
 * The statements of the whole migration, to print, review and run by other means. Run it within one
 * transaction on a database that does not have the schema yet.
 *
 * @throws {AtlastError} `invalid_option` for a bad schema name.
 */
export function migrationSql(options: MigrationOptions = {}): string {
  const schema = options.schema ?? DEFAULT_SCHEMA;
  return [...bootstrap(schema), ...MIGRATIONS.flatMap((step) => stepStatements(schema, step))]
    .map((statement) => `${statement};\n`)
    .join("\n");
}

/** The steps themselves, for a transaction that is open already. */
export async function migrateOn(
  run: Run,
  schema: string,
  steps: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  const name = quotedSchema(schema);
  // Two that start at once: the second waits here, and then finds the work done.
  await run("select pg_advisory_xact_lock(hashtextextended($1::text, 0))", [`atlast:${schema}`]);
  const [row] = await run("select to_regclass($1::text)::text", [`${name}.migrations`]);
  if (row?.[0] === null) {
    for (const statement of await bootstrapFor(run, schema)) await run(statement, []);
  }
  const version = await checkedVersion(run, schema, steps);
  for (const step of steps.filter((step) => step.version > version)) {
    for (const statement of stepStatements(schema, step)) await run(statement, []);
  }
}

/**
 * Checks that the tables are as this version needs them.
 *
 * @throws {AtlastError} `not_migrated` or `schema_too_new`.
 */
export async function checkMigrated(
  run: Run,
  schema: string,
  steps: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  const [row] = await run("select to_regclass($1::text)::text", [
    `${quotedSchema(schema)}.migrations`,
  ]);
  const version = row?.[0] === null ? 0 : await checkedVersion(run, schema, steps);
  if (version >= latest(steps)) return;
  throw new AtlastError(
    "not_migrated",
    `Cannot use schema "${schema}": got version ${version}, want ${
      latest(steps)
    }; allow the store ` +
      `to migrate, or run what migrationSql({ schema: "${schema}" }) prints`,
  );
}

/** The newest step that was taken, if this version can run on it. */
async function checkedVersion(
  run: Run,
  schema: string,
  steps: readonly Migration[],
): Promise<number> {
  const rows = await run(
    `select version, breaking::text from ${quotedSchema(schema)}.migrations order by version`,
    [],
  );
  const taken = rows.map(([version, breaking]) => ({
    version: Number(version),
    breaking: breaking === "true",
  }));
  const version = taken.at(-1)?.version ?? 0;
  if (taken.some((step) => step.breaking && step.version > latest(steps))) {
    throw new AtlastError(
      "schema_too_new",
      `Cannot use schema "${schema}": got version ${version}, want ${latest(steps)} at most; ` +
        `it was migrated by a newer Atlast`,
    );
  }
  return version;
}

function latest(steps: readonly Migration[]): number {
  return steps.at(-1)?.version ?? 0;
}

function bootstrap(schema: string): string[] {
  return [`create schema if not exists ${quotedSchema(schema)}`, migrationsTable(schema)];
}

/** `create schema` asks for a right that a user with a ready-made schema may not have. */
async function bootstrapFor(run: Run, schema: string): Promise<string[]> {
  const [found] = await run("select 1 as found from pg_namespace where nspname = $1::text", [
    schema,
  ]);
  return found === undefined ? bootstrap(schema) : [migrationsTable(schema)];
}

function migrationsTable(schema: string): string {
  return `create table if not exists ${quotedSchema(schema)}.migrations (
  version integer primary key,
  breaking boolean not null,
  applied_at timestamptz not null default now()
)`;
}

function stepStatements(schema: string, step: Migration): string[] {
  return [
    ...step.statements(schema),
    `insert into ${
      quotedSchema(schema)
    }.migrations (version, breaking) values (${step.version}, ${step.breaking})`,
  ];
}
