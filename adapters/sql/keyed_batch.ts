/**
 * Many changes to rows found by their keys, as the parameters of one statement.
 *
 * One array of ids finds the rows, and one JSON object has the changes by key. A join with the changes would
 * leave the plan to Postgres, which cannot estimate the number of rows: beside a large backlog it has walked
 * all of it. This form has no join.
 *
 * @module
 */
import type { RecordKey } from "../../core/ports/record.ts";
import { SEPARATOR_SQL, textArray } from "./array_param.ts";
import { type BatchColumn, singleValue, uniform } from "./batch.ts";
import { ColumnValues } from "./column_values.ts";
import { keyText } from "./table.ts";

/** A change of the row with a key. */
export interface Keyed {
  /** Which row. */
  readonly key: RecordKey;
}

/** Changes to rows of a table that is called `t` in the statement; at least one, no two of one key. */
export class KeyedBatch<Row extends Keyed> extends ColumnValues {
  /** The common table expression that the statement needs; empty when it needs none. */
  readonly with: { readonly with?: string };
  /** Whether a row's key is one of these. */
  readonly hasKey: string;

  constructor(rows: readonly Row[], columns: readonly BatchColumn<Row>[]) {
    super();
    const differing: BatchColumn<Row>[] = [];
    for (const column of columns) {
      const same = uniform(rows, column, this.params);
      if (same === undefined) differing.push(column);
      else this.setValue(column.name, same);
    }
    differing.forEach(({ name, type }, i) => {
      this.setValue(name, `(${ROW} ->> ${i})::${type}`);
    });
    const group = uniform(rows, GROUP, this.params);
    const ofGroup = group === undefined ? `${ROW} is not null` : `t.subscriber_group = ${group}`;
    this.hasKey = `${this.#hasId(rows)} and ${ofGroup}`;
    this.with = differing.length === 0 && group !== undefined
      ? {}
      : { with: this.#changes(rows, differing) };
  }

  /**
   * Postgres keeps a plan for good only if one made for the very parameters would not be cheaper. Of an
   * array it would know the length then, and would plan each small batch anew, which takes three times
   * as long as running it. It cannot see into a subquery.
   */
  #hasId(rows: readonly Row[]): string {
    const [first, second] = rows;
    if (first !== undefined && second === undefined) {
      return `t.id = ${this.param(first.key.id, "text")}`;
    }
    const { text, joined } = textArray(rows.map(({ key }) => key.id));
    const ids = joined
      ? `string_to_array(${this.param(text, "text")}, ${SEPARATOR_SQL})`
      : this.param(text, "text[]");
    return `t.id = any((select ${ids})::text[])`;
  }

  /** Materialized, or every use of it would parse it again. */
  #changes(rows: readonly Row[], columns: readonly BatchColumn<Row>[]): string {
    const byKey = Object.fromEntries(
      rows.map((row) => [keyText(row.key), columns.map(({ value }) => singleValue(value(row)))]),
    );
    return `changes as materialized (select ${
      this.param(JSON.stringify(byKey), "jsonb")
    } as by_key)`;
  }
}

const GROUP: BatchColumn<Keyed> = {
  name: "subscriber_group",
  type: "text",
  value: ({ key }) => key.group,
};

/** The values of the current row, by {@linkcode keyText}. */
const ROW = "((select by_key from changes) -> (t.id || chr(10) || t.subscriber_group))";
