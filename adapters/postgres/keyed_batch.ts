/**
 * Many changes to rows found by their keys, as the parameters of one statement.
 *
 * The rows are found by one array of ids, and what differs between them is looked up in one JSON object
 * by key. A join with the changes would leave the plan to Postgres, which has no idea how many rows
 * it will find: beside a large backlog it was seen to walk the whole of it, a hundred times slower. This
 * form has no join that could be planned badly.
 *
 * @module
 */
import type { RecordKey } from "../../core/ports.ts";
import { SEPARATOR_SQL, textArray } from "./array_literal.ts";
import { type BatchColumn, singleValue, type Value } from "./batch.ts";
import { keyText } from "./table.ts";

/** Changes to rows of a table that is called `t` in the statement; at least one, no two of one key. */
export class KeyedBatch {
  /** The parameters, in order. */
  readonly params: Value[] = [];
  /** Goes before the statement. */
  readonly with: string;
  /** Whether a row's key is one of these. */
  readonly hasKey: string;
  readonly #expressions = new Map<string, string>();

  constructor(keys: readonly RecordKey[], columns: readonly BatchColumn[]) {
    const differing = columns.filter((column) => !this.#addUniform(column));
    differing.forEach(({ name, type }, i) => {
      this.#expressions.set(name, `(${ROW} ->> ${i})::${type}`);
    });
    const [first] = keys as readonly [RecordKey];
    const oneGroup = keys.every(({ group }) => group === first.group);
    this.hasKey = `${this.#hasId(keys)} and ${
      oneGroup ? `t.subscriber_group = ${this.param(first.group, "text")}` : `${ROW} is not null`
    }`;
    this.with = differing.length === 0 && oneGroup ? "" : this.#withRows(keys, differing);
  }

  /** A column's value for the current row, as it stands in the statement. */
  value(column: string): string {
    return this.#expressions.get(column) as string;
  }

  /** A further parameter, the same for all rows. */
  param(value: Value, type: string): string {
    return `$${this.params.push(value)}::text::${type}`;
  }

  /** Whether the column is the same in all rows, and so is one parameter. */
  #addUniform({ name, type, values }: BatchColumn): boolean {
    const [first] = values;
    if (!(values as readonly unknown[]).every((value) => value === first)) return false;
    this.#expressions.set(name, this.param(singleValue(first ?? null), type));
    return true;
  }

  #hasId(keys: readonly RecordKey[]): string {
    const { text, joined } = textArray(keys.map(({ id }) => id));
    return joined
      ? `t.id = any(string_to_array(${this.param(text, "text")}, ${SEPARATOR_SQL}))`
      : `t.id = any(${this.param(text, "text[]")})`;
  }

  /** Materialized, or every use of it would parse it again. */
  #withRows(keys: readonly RecordKey[], columns: readonly BatchColumn[]): string {
    const rows = Object.fromEntries(
      keys.map((key, i) => [
        keyText(key),
        columns.map(({ values }) => singleValue(values[i] ?? null)),
      ]),
    );
    const json = this.param(JSON.stringify(rows), "jsonb");
    return `with changes as materialized (select ${json} as by_key)\n`;
  }
}

/** The values of the current row, by {@linkcode keyText}. */
const ROW = "((select by_key from changes) -> (t.id || chr(10) || t.subscriber_group))";
