/**
 * Finds the Postgres server the tests run on, and gives each test file a schema of its own.
 *
 * @module
 */
import process from "node:process";
import postgres from "postgres";

const DEFAULT_URL = "postgres://postgres@127.0.0.1:5432/postgres";

/** Why a suite is skipped when {@linkcode postgresUrl} answers null. */
export const NO_POSTGRES: string =
  `no Postgres at ATLAST_TEST_POSTGRES_URL or ${DEFAULT_URL}: this suite is skipped`;

/**
 * Where the test server is: `ATLAST_TEST_POSTGRES_URL`, or the default address if something answers
 * there; null when nothing does. With `CI=true` a missing server is an error, so that a suite
 * cannot vanish unseen.
 */
export async function postgresUrl(): Promise<string | null> {
  const url = process.env["ATLAST_TEST_POSTGRES_URL"] ?? DEFAULT_URL;
  const sql = postgres(url, { max: 1, connect_timeout: 3, fetch_types: false });
  try {
    await sql`select 1`;
    return url;
  } catch (error) {
    if (process.env["CI"] === "true") throw new Error(NO_POSTGRES, { cause: error });
    return null;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** A client of the user's kind, quiet about notices such as "schema already exists". */
export function connect(
  url: string,
  options: postgres.Options<Record<string, postgres.PostgresType>> = {},
): postgres.Sql {
  return postgres(url, { max: 5, fetch_types: false, onnotice: () => {}, ...options });
}

/** A schema name that no other test uses. */
export function freshSchema(): string {
  return `atlast_test_${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`;
}

/** Deletes a schema made by a test. */
export async function dropSchema(sql: postgres.Sql, schema: string): Promise<void> {
  await sql.unsafe(`drop schema if exists "${schema}" cascade`);
}
