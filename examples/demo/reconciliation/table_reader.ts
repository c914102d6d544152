/**
 * The interface by which the reconciliation reads a database as tables.
 *
 * @module
 */

/** A row, by the names of its columns. */
export type Row = Readonly<Record<string, string | number | null>>;

/** Reads the tables of one database. */
export interface TableReader {
  /** Reads all rows of a table, with these columns, as a JSON array of objects. */
  readAll(table: string, columns: readonly string[]): Promise<string>;
}
