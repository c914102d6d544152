/**
 * Which rows a statement changed.
 *
 * A statement over a thousand rows nearly always changes all of them, and reading a thousand keys back to learn
 * that would be expensive. So the statement returns "all", and names keys only if some are missing.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { RecordKey } from "../../core/ports/record.ts";
import type { Value } from "./column_values.ts";
import { sqlState } from "./database.ts";
import type { Run } from "./run.ts";
import { KeySet } from "./table.ts";

/** Returns whether the row of a key was changed. */
export type Reached = (key: RecordKey) => boolean;

/** A statement that changes rows. */
export interface Change {
  /** The text before it: empty, or a common table expression. */
  readonly with?: string;
  /** The statement, without RETURNING. */
  readonly sql: string;
  /** Its parameters. */
  readonly params: readonly Value[];
}

/** SQLSTATE `invalid_text_representation`. */
const NO_NUMBER = "22P02";

/**
 * Runs a statement that fails unless it changes `count` rows, so that its transaction cannot commit then.
 *
 * @throws {AtlastError} `lease_lost` when it changed fewer.
 */
export async function runReachingAll(
  run: Run,
  count: number,
  { with: before, sql, params }: Change,
): Promise<void> {
  const ctes = [...before === undefined ? [] : [before], `reached as (\n${sql}\nreturning 1\n)`];
  try {
    // The cast fails with this text, which the server also writes into its log.
    await run(
      `with ${ctes.join(", ")}
select case when count(*) = ${count} then 1
  else (count(*) || ' of ${count} reached: others were claimed since')::integer end
from reached`,
      params,
    );
  } catch (error) {
    if (sqlState(error) !== NO_NUMBER) throw error;
    throw new AtlastError(
      "lease_lost",
      `Cannot commit the settlement of ${count} messages: got a claim or settlement by another ` +
        "since, want their epochs to stand",
      { cause: error },
    );
  }
}

/** Runs a statement that should change `count` rows. */
export async function runReached(run: Run, count: number, change: Change): Promise<Reached> {
  const before = change.with === undefined ? [] : [change.with];
  if (count === 1) {
    const cte = before.length === 0 ? "" : `with ${before.join("")}\n`;
    const rows = await run(`${cte}${change.sql}\nreturning 1 as reached`, change.params);
    return () => rows.length === 1;
  }
  const ctes = [...before, `reached as (\n${change.sql}\nreturning id, subscriber_group\n)`];
  // The keys in a subquery of their own, which runs only if some are missing.
  const [row] = await run(
    `with ${ctes.join(", ")}
select case when (select count(*) from reached) < ${count} then coalesce(
  (select json_agg(json_build_array(id, subscriber_group)) from reached), '[]'
) end::text`,
    change.params,
  );
  const [keys] = row as [string | null];
  if (keys === null) return () => true;
  const pairs = JSON.parse(keys) as [string, string][];
  const found = new KeySet();
  for (const [id, group] of pairs) found.add({ id, group });
  return (key) => found.has(key);
}
