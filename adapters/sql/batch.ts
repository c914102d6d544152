/**
 * Many rows as the parameters of one statement.
 *
 * A column with the same value in all rows is one parameter, any other is an array. So a thousand rows carry
 * only what differs between them.
 *
 * @module
 */
import { booleanArray, numberArray, SEPARATOR_SQL, textArray } from "./array_param.ts";
import { ColumnValues, type Value } from "./column_values.ts";

/** A column of a batch: its name, its type and how its value is read from a row. */
export type BatchColumn<Row> =
  & { readonly name: string }
  & (
    | { readonly type: "text"; readonly value: (row: Row) => string | null }
    | { readonly type: "bigint" | "integer"; readonly value: (row: Row) => number | null }
    | { readonly type: "boolean"; readonly value: (row: Row) => boolean | null }
  );

/** Rows of values; at least two, and not all the same. */
export class Batch<Row> extends ColumnValues {
  readonly #rows: readonly Row[];
  readonly #arrays: { readonly name: string; readonly sql: string }[] = [];

  constructor(rows: readonly Row[], columns: readonly BatchColumn<Row>[]) {
    super();
    this.#rows = rows;
    for (const column of columns) {
      this.setValue(
        column.name,
        uniform(rows, column, this.params) ?? this.#differing(column),
      );
    }
  }

  /** The source of the rows. */
  get from(): string {
    const arrays = this.#arrays.map(({ sql }) => sql).join(", ");
    const names = this.#arrays.map(({ name }) => name).join(", ");
    return `unnest(${arrays}) as v (${names})`;
  }

  #differing(column: BatchColumn<Row>): string {
    this.#arrays.push({ name: column.name, sql: this.#array(column) });
    return `v.${column.name}`;
  }

  #array(column: BatchColumn<Row>): string {
    switch (column.type) {
      case "bigint":
      case "integer":
        return this.param(numberArray(this.#rows.map(column.value)), `${column.type}[]`);
      case "boolean":
        return this.param(booleanArray(this.#rows.map(column.value)), "boolean[]");
      case "text": {
        const { text, joined } = textArray(this.#rows.map(column.value));
        const param = this.param(text, joined ? "text" : "text[]");
        return joined ? `string_to_array(${param}, ${SEPARATOR_SQL})` : param;
      }
    }
  }
}

/**
 * The expression of a column that is the same in all rows: a parameter, or null; undefined for one that
 * differs.
 */
export function uniform<Row>(
  rows: readonly Row[],
  { type, value }: BatchColumn<Row>,
  params: Value[],
): string | undefined {
  const first = value(rows[0] as Row);
  if (!rows.every((row) => value(row) === first)) return undefined;
  if (first === null) return `null::${type}`;
  return `$${params.push(singleValue(first))}::text::${type}`;
}

/** A value as a parameter; fractions are rounded up, as times are whole milliseconds. */
export function singleValue(value: string | number | boolean | null): Value {
  if (typeof value === "number") return Math.ceil(value);
  return typeof value === "boolean" ? String(value) : value;
}
