/**
 * Opening a PGlite database on disk, for one process at a time.
 *
 * @module
 */
import { PGlite } from "@electric-sql/pglite";
import { described } from "../../core/check_option.ts";
import { aRecord } from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import { lockFolder } from "./folder_lock.ts";

/** The result of a statement. */
export interface PgliteResult<Row> {
  /** The rows. */
  readonly rows: Row[];
  /** How many rows a statement without result rows changed. */
  readonly affectedRows?: number;
}

/** Runs statements: a database, or a transaction in it. */
export interface PgliteClient {
  /** Runs one statement with `$1` placeholders. */
  query<Row>(text: string, params?: unknown[]): Promise<PgliteResult<Row>>;
  /** Runs one statement whose values are parameters. */
  sql<Row>(strings: TemplateStringsArray, ...params: unknown[]): Promise<PgliteResult<Row>>;
  /** Runs several statements without parameters. */
  exec(text: string): Promise<PgliteResult<Record<string, unknown>>[]>;
}

/** A transaction of a {@linkcode PgliteDatabase}. */
export interface PgliteTransaction extends PgliteClient {
  /** Rolls back now; the transaction has ended then. */
  rollback(): Promise<void>;
}

/** The part of PGlite that most programs use; {@linkcode openPglite} returns the complete object. */
export interface PgliteDatabase extends PgliteClient {
  /** Runs work in a transaction: commits when it resolves, rolls back when it rejects. */
  transaction<Result>(work: (tx: PgliteTransaction) => Promise<Result>): Promise<Result>;
  /** Closes the database and releases the folder. */
  close(): Promise<void>;
}

/**
 * Opens the PGlite database in a folder, and creates it if it is missing. Until it is closed, other
 * processes, and a second call in this one, cannot open it. The lock is a file beside the folder, with
 * `.lock` after its name. The lock of a process that died is taken over. On a file system that several
 * machines share, a lock of another machine is never taken over.
 *
 * See `pgliteStore` for what PGlite does not promise.
 *
 * @param dataDir A path in the file system.
 * @param options PGlite's own options, such as `extensions`.
 * @example
 * ```ts ignore
 * import { openPglite, pgliteStore } from "@atlast/bus/pglite";
 *
 * const db = await openPglite("./data");
 * const store = pgliteStore(db);
 * ```
 * @throws {AtlastError} `database_locked` when it is open already, naming the process; `invalid_option` when
 * `dataDir` is not a path.
 */
export async function openPglite(
  dataDir: string,
  options: Readonly<Record<string, unknown>> = {},
): Promise<PgliteDatabase> {
  aRecord("options", options, "open a database with");
  if (typeof dataDir !== "string" || dataDir === "" || /^[a-z-]+:\/\//.test(dataDir)) {
    throw new AtlastError(
      "invalid_option",
      `Cannot open ${described(dataDir)}: want the path of a folder`,
    );
  }
  const unlock = await lockFolder(dataDir);
  try {
    const db = await PGlite.create({ ...options, dataDir });
    const close = db.close.bind(db);
    return Object.assign(db, {
      close: async () => {
        await close();
        await unlock();
      },
    });
  } catch (error) {
    await unlock();
    throw error;
  }
}
