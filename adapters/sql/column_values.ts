/**
 * The values of columns for the rows of one statement, with the statement's parameters.
 *
 * @module
 */

/** What a statement takes: plain values that every driver encodes alike. */
export type Value = string | number | null;

/** Parameters of a statement, and the expressions that give each column its value from them. */
export abstract class ColumnValues {
  /** The parameters, in order. */
  readonly params: Value[] = [];
  readonly #expressions = new Map<string, string>();

  /** A column's value in the current row, as it stands in the statement. */
  value(column: string): string {
    return this.#expressions.get(column) as string;
  }

  /** A further parameter, the same for all rows. */
  param(value: Value, type: string): string {
    return `$${this.params.push(value)}::text::${type}`;
  }

  /** Sets what {@linkcode value} gives for a column. */
  protected setValue(column: string, expression: string): void {
    this.#expressions.set(column, expression);
  }
}
