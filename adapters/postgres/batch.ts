/**
 * Many rows as the parameters of one statement.
 *
 * A column that is the same in all rows goes as one value, any other as an array, so that a thousand rows
 * carry only what tells them apart. Measured against arrays for every column, that halves the time of
 * a batch.
 *
 * @module
 */
import { booleanArray, numberArray, SEPARATOR_SQL, textArray } from "./array_literal.ts";

/** What a statement takes: plain values that every driver encodes alike. */
export type Value = string | number | null;

/** A column of a batch, with a value for each row. */
export type BatchColumn =
  & { readonly name: string }
  & (
    | { readonly type: "text"; readonly values: readonly (string | null)[] }
    | { readonly type: "bigint" | "integer"; readonly values: readonly (number | null)[] }
    | { readonly type: "boolean"; readonly values: readonly (boolean | null)[] }
  );

/** Rows of values; at least two, and not all the same. */
export class Batch {
  /** The parameters, in order; a statement may have more behind them. */
  readonly params: Value[] = [];
  readonly #expressions = new Map<string, string>();
  readonly #arrays: { readonly name: string; readonly sql: string }[] = [];

  constructor(columns: readonly BatchColumn[]) {
    for (const column of columns) this.#add(column);
  }

  /** A column's value in the current row, as it stands in the statement. */
  value(column: string): string {
    return this.#expressions.get(column) as string;
  }

  /** A further parameter, the same for all rows. */
  param(value: Value, type: string): string {
    return `$${this.params.push(value)}::text::${type}`;
  }

  /** Where the rows come from. */
  get from(): string {
    const arrays = this.#arrays.map(({ sql }) => sql).join(", ");
    const names = this.#arrays.map(({ name }) => name).join(", ");
    return `unnest(${arrays}) as v (${names})`;
  }

  #add(column: BatchColumn): void {
    const { name, type, values } = column;
    const [first] = values;
    if ((values as readonly unknown[]).every((value) => value === first)) {
      this.#expressions.set(name, this.param(singleValue(first ?? null), type));
      return;
    }
    this.#expressions.set(name, `v.${name}`);
    this.#arrays.push({ name, sql: this.#array(column) });
  }

  #array({ type, values }: BatchColumn): string {
    switch (type) {
      case "bigint":
      case "integer":
        return this.param(numberArray(values), `${type}[]`);
      case "boolean":
        return this.param(booleanArray(values), "boolean[]");
      case "text": {
        const { text, joined } = textArray(values);
        const param = this.param(text, joined ? "text" : "text[]");
        return joined ? `string_to_array(${param}, ${SEPARATOR_SQL})` : param;
      }
    }
  }
}

/** A value as a parameter; fractions are rounded up, as times are whole milliseconds. */
export function singleValue(value: string | number | boolean | null): Value {
  if (typeof value === "number") return Math.ceil(value);
  return typeof value === "boolean" ? String(value) : value;
}
