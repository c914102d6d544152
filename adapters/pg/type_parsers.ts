/**
 * How values of the store's rows are read, whatever type parsers the user has set.
 *
 * @module
 */

/** The id of the type boolean, which is the same in every Postgres. */
const BOOLEAN = 16;

/** The option `types` of a query of `pg`: all values but booleans stay text. */
export const typeParsers = {
  getTypeParser: (oid: number): (text: string) => unknown =>
    oid === BOOLEAN ? (text) => text === "t" : (text) => text,
};
