/**
 * A database as the reconciliation reads it: tables, whatever they are made of there.
 *
 * @module
 */

/** A row, by the names of its columns. */
export type Row = Readonly<Record<string, string | number | null>>;

/** One database. */
export interface Side {
  /** All rows of a table, with these columns, as a JSON array of objects. */
  readAll(table: string, columns: readonly string[]): Promise<string>;
}
