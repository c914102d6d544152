/**
 * The values of columns for the rows of one statement, with the statement's parameters.
 *
 * @module
 */

/** A parameter of a statement: a plain value that every driver encodes alike. */
export type Value = string | number | null;

/** Parameters of a statement, and the expressions that compute each column's value from them. */
export abstract class ColumnValues {
  /** The parameters, in order. */
  readonly params: Value[] = [];
  readonly #expressions = new Map<string, string>();

  /** The expression of a column's value in the current row. */
  value(column: string): string {
    return this.#expressions.get(column) as string;
  }

  /** A further parameter, the same for all rows. */
  param(value: Value, type: string): string {
    return `$${this.params.push(value)}::text::${type}`;
  }

  /** Sets the result of {@linkcode value} for a column. */
  protected setValue(column: string, expression: string): void {
    this.#expressions.set(column, expression);
  }
}
