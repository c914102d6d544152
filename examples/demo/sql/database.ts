/**
 * Opens a database, PGlite or Postgres, with the same interface: `query(text, params)`, and a store and a
 * fence whose transactions have it too.
 *
 * @module
 */
import type { SqlClient } from "@atlast/bus";
import type { Fence, Store } from "@atlast/bus/ports";
import { openPglite, pgliteFence, pgliteStore } from "@atlast/bus/pglite";
import { fromPostgresJs, postgresFence, postgresStore } from "@atlast/bus/postgres";
import postgres from "postgres";

/** The address of a database. Business tables and those of the store or the fence share a schema. */
export type SqlAddress =
  | { readonly kind: "pglite"; readonly folder: string; readonly schema: string }
  | { readonly kind: "postgres"; readonly url: string; readonly schema: string };

/** An open database. */
export interface Database extends SqlClient {
  /** The outbox and the inbox, in the database of a service. */
  readonly store: Store<SqlClient>;
  /** The fence, in the database of the bank. */
  readonly fence: Fence<SqlClient>;
  /** Closes it. */
  close(): Promise<void>;
}

type Of<Tx> = Pick<Store<Tx>, "transaction" | "transactionOnUse">;
type Transactional = Of<postgres.TransactionSql>;

/** Opens a database and sets its search path to the schema. */
export async function openDatabase(
  address: SqlAddress,
  { connections = 10 }: { connections?: number } = {},
): Promise<Database> {
  const { schema } = address;
  const inSchema = `create schema if not exists "${schema}"`;
  if (address.kind === "pglite") {
    const db = await openPglite(address.folder);
    await db.exec(`${inSchema}; set search_path to "${schema}"`);
    return {
      query: (text, params) => db.query(text, params),
      store: pgliteStore(db, { schema }),
      fence: pgliteFence(db, { schema }),
      close: () => db.close(),
    };
  }
  const sql = postgres(address.url, {
    max: connections,
    fetch_types: false,
    connection: { search_path: `"${schema}"`, application_name: "atlast-demo" },
    onnotice: () => {},
  });
  try {
    await sql.unsafe(inSchema);
  } catch (error) {
    await sql.end({ timeout: 1 });
    throw error;
  }
  return {
    ...fromPostgresJs(sql),
    store: withSqlClients<Store<SqlClient>>(postgresStore(sql, { schema })),
    fence: withSqlClients<Fence<SqlClient>>(postgresFence(sql, { schema })),
    close: () => sql.end({ timeout: 5 }),
  };
}

/** Runs several statements without parameters. */
export async function execute(client: SqlClient, script: string): Promise<void> {
  for (const statement of script.split(";")) {
    if (statement.trim() !== "") await client.query(statement);
  }
}

/** Wraps a store or fence of postgres.js so that its transactions are `SqlClient`s, as PGlite's are. */
function withSqlClients<Part extends object>(part: Transactional): Part {
  return new Proxy(part, {
    get(target, name) {
      if (name === "transaction") {
        const wrapping: Of<SqlClient>["transaction"] = (work, options) =>
          target.transaction((tx) => work(fromPostgresJs(tx)), options);
        return wrapping;
      }
      const { transactionOnUse } = target;
      if (name === "transactionOnUse" && transactionOnUse !== undefined) {
        const wrapping: Of<SqlClient>["transactionOnUse"] = (first, work) =>
          transactionOnUse.call(
            target,
            first,
            (tx, lazy) => work(fromPostgresJs(tx), lazy),
          ) as never;
        return wrapping;
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  }) as object as Part;
}
