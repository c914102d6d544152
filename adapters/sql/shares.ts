/**
 * The groups of a request, with their names, as a table within a statement.
 *
 * A statement reads the records of each group by themselves, through the index of the group, so that it does not walk
 * over the backlog of another group.
 *
 * @module
 */
import { isWildcard } from "../../core/message/name.ts";
import type { GroupShare } from "../../core/ports/claim_request.ts";
import { numberArray, textLiteral } from "./array_param.ts";
import type { Value } from "./column_values.ts";
import { expected } from "./index_order.ts";
import type { Table } from "./table.ts";

/** How many parameters {@linkcode shareParams} makes. */
const PARAMS = 6;

/**
 * The table `share`, for a `with`: of each group its name, the names it takes or leaves out, its limit, and the due
 * time from which to read.
 *
 * @param first The number of the first of its parameters.
 */
export function shareTable(first: number): string {
  const [groups, names, patterns, except, limits, from] = Array.from(
    { length: PARAMS },
    (_, i) => `$${first + i}::text`,
  );
  return `share as materialized (
  select group_name, names::text[] as names, pattern, except_names::text[] as except_names, most, from_ms
  from unnest(
    ${groups}::text[], ${names}::text[], ${patterns}::text[], ${except}::text[], ${limits}::bigint[],
    ${from}::bigint[]
  ) as each(group_name, names, pattern, except_names, most, from_ms)
)`;
}

/** The parameters of {@linkcode shareTable}. */
export function shareParams(
  groups: readonly GroupShare[],
  limit = 0,
  fromMs: (group: string) => number = () => 0,
): Value[] {
  const named = groups.map(({ names }) => names === undefined ? null : [...names]);
  return [
    textLiteral(groups.map(({ group }) => group)),
    textLiteral(
      named.map((names) => names && textLiteral(names.filter((each) => !isWildcard(each)))),
    ),
    textLiteral(named.map((names) => names && expressionOf(names.filter(isWildcard)))),
    textLiteral(groups.map(({ except }) => textLiteral(except ?? []))),
    numberArray(groups.map((share) => share.limit ?? limit)),
    numberArray(groups.map(({ group }) => fromMs(group))),
  ];
}

/** The condition that a record is one that its group takes; `record` and `share` are in the statement. */
export const IS_TAKEN: string = expected(
  `(share.names is null or name = any(share.names) or '.' || name ~ share.pattern)
        and name <> all (share.except_names)`,
);

/**
 * The condition for a record of `share`. In the inbox it selects the index of its group; the outbox has one index, and
 * one group.
 */
export function ofShare({ box }: Pick<Table, "box">): string {
  const isOfGroup = "subscriber_group = share.group_name";
  return `${box === "inbox" ? isOfGroup : expected(isOfGroup)} and ${IS_TAKEN}`;
}

/**
 * A regular expression for names with a dot in front, which matches what one of the patterns matches; null for no
 * pattern.
 */
function expressionOf(patterns: readonly string[]): string | null {
  if (patterns.length === 0) return null;
  const alternatives = patterns.map((pattern) =>
    pattern.split(".").map((token) =>
      token === "#" ? "([.][^.]+)*" : token === "*" ? "[.][^.]+" : `[.]${token}`
    ).join("")
  );
  return `^(${alternatives.join("|")})$`;
}
